/** Knows how to have systemd set limits of its units: it writes them again whenever it sees fit, so they must be its own. */
import { execFile } from "node:child_process";

/** systemd may be busy with something larger, ms. */
const PATIENCE = 25_000;

/** Until the next boot (systemctl(1), set-property --runtime). Rejects with systemd's own words. */
export function setUnitProperties(unit: string, assignments: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    execFile("systemctl", ["set-property", "--runtime", "--", unit, ...assignments], { timeout: PATIENCE }, (error, _, stderr) => {
      const words = stderr.trim() || error?.message || "";
      // A unit that is gone has no limits, and none to be given back.
      if (!error || /\bnot (found|loaded)\b/.test(words)) return resolve();
      reject(Object.assign(new Error(`systemctl set-property ${unit} ${assignments.join(" ")}: ${words}`), { code: "ESYSTEMD" }));
    });
  });
}
