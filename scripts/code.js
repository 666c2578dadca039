// Keeps what V8 makes of the program while it checks and compares the manifests: the next start need not make it again.
import { writeFileSync } from "node:fs";
import { CODE, load } from "../bin/program.js";

const { main, script } = load();
await main(["validate", "-f", "manifests"]);
// It only looks; where there are no cgroups it says so.
await main(["diff", "-f", "manifests"]);
writeFileSync(CODE, script.createCachedData());
