/** Whether confined workloads can run here. */
import { existsSync } from "node:fs";
import { whyNotLive } from "./live.ts";

const here = ["/usr/bin/crun", "/usr/local/bin/crun", "/usr/sbin/crun"].some((file) => existsSync(file));

/** Undefined when they can. Where they must (HOLDFAST_TEST_CONFINED), a missing runtime is no reason to skip. */
export const whyNotConfined = whyNotLive ?? (here || process.env["HOLDFAST_TEST_CONFINED"] !== undefined ? undefined : "crun is not installed");
