// Asks a controller over its socket: so many requests a second, of all kinds; and watches that come and go. A process of its own, so that whoever measures is not slowed down by it.
import { Agent, request } from "node:http";

const [socketPath, perSecond, watchers, churn] = [process.argv[2], ...process.argv.slice(3).map(Number)];
const agent = new Agent({ keepAlive: true, maxSockets: 50 });
const KINDS = "/apis/holdfast.dev/v1alpha1/limitgroups";
const TABLE = { accept: "application/json;as=Table;v=v1;g=meta.k8s.io,application/json" };
const name = () => `g${String(Math.floor(Math.random() * 1000)).padStart(5, "0")}`;
/** Of a hundred requests. */
const MIX = [
  [60, () => [`${KINDS}/${name()}`]],
  [20, () => ["/livez"]],
  [10, () => [`${KINDS}/${name()}`, TABLE]],
  [8, () => [`${KINDS}?labelSelector=team%3Dteam-${Math.floor(Math.random() * 20)}`]],
  [1, () => [KINDS]],
  [1, () => [KINDS, TABLE]],
];
const QUESTIONS = MIX.flatMap(([part, question]) => Array(part).fill(question));
const times = [];
let failed = 0;
function ask() {
  const [path, headers] = QUESTIONS[Math.floor(Math.random() * QUESTIONS.length)]();
  const start = performance.now();
  request({ socketPath, path, headers, agent }, (response) => {
    if (response.statusCode !== 200) failed++;
    response.resume();
    response.on("end", () => times.push(performance.now() - start));
  })
    .on("error", () => failed++)
    .end();
}
let version = "";
const watches = new Set();
function watch() {
  const asked = request({ socketPath, path: `${KINDS}?watch=true&allowWatchBookmarks=true&resourceVersion=${version}` }, (response) => response.resume());
  asked.on("error", () => {});
  asked.on("close", () => watches.delete(asked));
  asked.end();
  watches.add(asked);
}
request({ socketPath, path: `${KINDS}?limit=1` }, (response) => {
  let text = "";
  response.on("data", (part) => (text += part));
  response.on("end", () => {
    version = JSON.parse(text).metadata.resourceVersion;
    for (let count = 0; count < watchers; count++) watch();
    console.log("ready");
  });
}).end();
if (perSecond > 0) setInterval(ask, 1000 / perSecond);
if (churn > 0)
  setInterval(() => {
    const [oldest] = watches;
    oldest?.destroy();
    version = "";
    watch();
  }, 1000 / churn);
process.on("SIGTERM", () => {
  times.sort((a, b) => a - b);
  const at = (part) => times[Math.min(times.length - 1, Math.floor(times.length * part))]?.toFixed(2);
  console.log(`requests ${times.length}, failed ${failed}, p50 ${at(0.5)} ms, p99 ${at(0.99)} ms`);
  process.exit(0);
});
