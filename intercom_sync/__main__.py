"""`python -m intercom_sync` is `intercom-sync`."""

import sys

from intercom_sync.cli import main

sys.exit(main())
