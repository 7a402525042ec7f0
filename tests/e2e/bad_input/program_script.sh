# SPDX-License-Identifier: Apache-2.0
# A script: what is traced is its interpreter.
. "$(dirname "$0")/lib.sh" "$1"
printf '#!/bin/sh\necho "a script: $1"\nexit 5\n' >job.sh
chmod +x job.sh
same ./job.sh argument
ask check -m "$manifest" ./job.sh
says 'job\.sh.*script' '/bin/(sh|dash)'
finish
