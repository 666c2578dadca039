#!/bin/bash
# The live tests on a host of another kind: compiled to plain JavaScript here (jest's transforms are slow in an emulated
# machine), run in a guest. Usage: suite.sh [v2|hybrid|v1]... (default: v2)
set -euo pipefail
cd "$(dirname "$0")/../.."
export CI=true
bash test/vm/vm.sh build
rm -rf dist/vm
npx --no-install esbuild test/live/*.test.ts --bundle --platform=node --format=esm --target=node20 --outdir=dist/vm --out-extension:.js=.js \
  --external:@jest/globals --external:yaml --external:chokidar --external:pino --external:prom-client --external:selfsigned \
  --external:playwright-core --external:@kubernetes/client-node --log-level=warning \
  --banner:js='import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);'
echo 'export default { testEnvironment: "node", transform: {}, testMatch: ["**/*.test.js"], testTimeout: 300000, verbose: true };' >dist/vm/jest.config.js
for mode in "${@:-v2}"; do
  echo "== live tests on cgroup $mode"
  # Emulated, a second is short: fewer kills and hostile calls, and a disk of its own for the I/O tests.
  bash test/vm/vm.sh run -m "$mode" -t 3300 -- \
    'export HOLDFAST_TEST_CONFINED=required HOLDFAST_TEST_DISK=/dev/disk-io HOLDFAST_TEST_KILLS=12 HOLDFAST_TEST_CALLS=1000 HOLDFAST_TEST_LINES=50000 HOLDFAST_TEST_PATIENCE=6; cd /work && node --experimental-vm-modules --disable-warning=ExperimentalWarning node_modules/jest/bin/jest.js -i -c dist/vm/jest.config.js --rootDir dist/vm --cacheDirectory /tmp/jest'
done
