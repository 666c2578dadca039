/** Knows which question is whose: one table of paths. Everything is read; nothing can be written here. */
import type { ServerResponse } from "node:http";
import type { Resource } from "../api/resource.ts";
import type { Answer, Question, Stream } from "./answer.ts";
import { failure, json, plain } from "./answer.ts";
import { keyOf } from "./collection.ts";
import { discover } from "./discovery.ts";
import type { Feed } from "./feed.ts";
import type { Beside } from "./kinds.ts";
import { PODS } from "./kinds.ts";
import { replicaLog } from "./logStream.ts";
import { NAMESPACE } from "./object.ts";
import { openapi } from "./openapi.ts";
import { podLog } from "./podLog.ts";
import { podMetrics, type RateOf } from "./podMetrics.ts";
import { push, Resources, readOnly, targetOf } from "./resources.ts";
import { questionIn, type UsageAnswer, type UsageQuestion } from "./usageOfAll.ts";

export interface ApiOptions {
  readonly feed: Feed;
  readonly resourceOf: Beside["resourceOf"];
  readonly rateOf: RateOf;
  /** The manifest directory. */
  readonly directory: string;
  readonly logDirectory: string;
  readonly metrics: () => Promise<Answer>;
  readonly usage: (question: UsageQuestion) => Promise<UsageAnswer>;
  /** Why the controller is not ready; undefined: it is. */
  readonly whyNotReady: () => string | undefined;
  /** Other pages; undefined: the path is none of them. */
  readonly pages: (question: Question) => Answer | Stream | undefined;
}

export type Respond = (question: Question) => Answer | Stream | Promise<Answer | Stream>;

export function apiOf(options: ApiOptions): Respond {
  const { feed, resourceOf, rateOf, directory, logDirectory, metrics, whyNotReady, pages } = options;
  const resources = new Resources(feed, resourceOf);
  return (question) => {
    const { method, path, query } = question;
    const target = targetOf(path);
    if (method !== "GET" && method !== "HEAD") return { ...readOnly(target, feed, directory), headers: { allow: "GET, HEAD" } };
    if (path === "/livez" || path === "/healthz" || path === "/readyz") {
      const why = path === "/livez" ? undefined : whyNotReady();
      return why === undefined ? plain("ok") : plain(why, 503);
    }
    if (path === "/version") return json(versionOf(feed.place.version));
    if (path === "/metrics") return metrics();
    if (path === "/cli/state") return json(feed.state());
    if (path === "/cli/events") return { stream: (response) => tellEvents(response, feed) };
    if (path === "/cli/usage") return usageAsked(query);
    if (path === "/cli/log" || path === "/cli/log/part") return replicaLog(path, query, workloadNamed(query.get("workload") ?? ""), logDirectory);
    const other = pages(question) ?? discover(question) ?? openapi(question) ?? podMetrics(question, feed, rateOf);
    if (other) return other;
    if (!target) return failure("NotFound", "the server could not find the requested resource");
    if (target.subresource === undefined) return resources.answer(target, question);
    if (target.kind === PODS && target.subresource === "log" && target.name !== undefined) return logOf(target.name, query);
    return failure("NotFound", "the server could not find the requested resource");
  };

  async function usageAsked(query: URLSearchParams): Promise<Answer> {
    const asked = questionIn(query);
    return asked ? json(await options.usage(asked)) : failure("BadRequest", "depth is all, basics, cpu, memory, io, pids or nothing; since is a time in ms");
  }

  function workloadNamed(name: string): Resource | undefined {
    const found = feed.find(`Workload/${name}`);
    return found && resourceOf(found);
  }

  async function logOf(name: string, query: URLSearchParams): Promise<Answer | Stream> {
    const pod = feed.of(PODS).get(keyOf({ name, namespace: NAMESPACE }));
    const owner = pod?.object.metadata.ownerReferences?.[0]?.name;
    const workload = owner === undefined ? undefined : workloadNamed(owner);
    if (workload?.kind !== "Workload") return failure("NotFound", `pods "${name}" not found`, { name, kind: "pods" });
    return podLog(workload, Number(name.slice(name.lastIndexOf("-") + 1)), logDirectory, query);
  }
}

/** The events as they come, a line of JSON each. */
function tellEvents(response: ServerResponse, feed: Feed): void {
  response.writeHead(200, { "content-type": "application/jsonl" });
  response.flushHeaders();
  response.on(
    "close",
    feed.hear((event) => push(response, `${JSON.stringify(event)}\n`)),
  );
}

/** apimachinery's version.Info. kubectl compares the first two numbers with its own: they are those of the API that is spoken. */
const versionOf = (version: string) => ({
  major: "1",
  minor: "36",
  gitVersion: `v1.36.0+holdfast-${version}`,
  gitCommit: "",
  gitTreeState: "clean",
  buildDate: "1970-01-01T00:00:00Z",
  goVersion: "none",
  compiler: "none",
  platform: "linux/amd64",
});
