/** Whether confined workloads can run here. */
import { existsSync } from "node:fs";
import { whyNotLive } from "./live.ts";

const isHere = (name: string): boolean => ["/usr/bin", "/usr/local/bin", "/usr/sbin"].some((directory) => existsSync(`${directory}/${name}`));
const required = process.env["HOLDFAST_TEST_CONFINED"] !== undefined;

/** Undefined when they can. Where they must (HOLDFAST_TEST_CONFINED), a missing runtime is no reason to skip. */
export const whyNotConfined = whyNotLive ?? (isHere("crun") || required ? undefined : "crun is not installed");

/** The same for workloads from images. */
export const whyNotImages = whyNotConfined ?? (isHere("umoci") || required ? undefined : "umoci is not installed");
