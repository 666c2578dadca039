/** Knows `holdfast restart`: asks the controller to start a workload's processes anew, as its strategy says. */
import { requestRestart } from "../host/requests.ts";
import { type GlobalOptions, openKernel, placesOf, workloadNamed } from "./context.ts";
import { note, out } from "./print.ts";

export function restart(name: string, options: GlobalOptions): number {
  const places = placesOf(options);
  const { name: workload, run } = workloadNamed(name, options, places);
  const controller = openKernel(places).controller();
  requestRestart(places.runDirectory, workload, Date.now());
  out(`workload/${workload} restart asked for`);
  const { maxUnavailable } = run.strategy;
  const how = run.job.schedule ? "a run begins now" : run.replicas > maxUnavailable ? `${maxUnavailable} of ${run.replicas} replicas at a time` : "";
  if (controller === undefined) note("no controller is at work on this root: it happens when one starts");
  else if (how) note(how);
  return 0;
}
