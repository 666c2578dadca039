/** Knows the page as a whole: how it begins, and how it follows the controller. */
import { showDetail } from "./detail.ts";
import { byId, make } from "./dom.ts";
import { type Happened, pointOf, type State, type Summary, type UsageLine } from "./model.ts";
import { arrange, drawLine, moveFocus, rowFor, rows, showObject, showTiles, showUsage, watcher } from "./tree.ts";

const MOST_EVENTS = 200;
/** Of a line: five minutes, a point every two seconds. */
const MOST_POINTS = 150;

function addEvent(event: Happened, old = false): void {
  const item = make("li");
  const time = new Date(event.eventTime);
  item.append(
    make("time", time.toLocaleTimeString(), { datetime: event.eventTime, title: time.toLocaleString() }),
    make("b", event.reason, { class: event.type === "Warning" ? "warn" : "" }),
    make("span", `${event.object}: ${event.note}${event.source ? ` (${event.source})` : ""}`),
  );
  const list = byId("events");
  if (old) list.append(item);
  else list.prepend(item);
  while (list.children.length > MOST_EVENTS) list.lastElementChild?.remove();
}

async function ask<T>(path: string): Promise<T> {
  const response = await fetch(path);
  if (response.status === 401) {
    showLogin();
    throw new Error("a token is needed");
  }
  if (!response.ok) throw new Error(((await response.json()) as { message?: string }).message ?? response.statusText);
  return (await response.json()) as T;
}

function listen(): void {
  const body = byId("rows");
  const keyAt = (event: Event): HTMLElement | null => (event.target as HTMLElement).closest("tr");
  const open = (row: HTMLElement | null): void =>
    void (row?.dataset["key"] && showDetail(row.dataset["key"], ask).catch((error: Error) => connection(error.message, false)));
  body.addEventListener("click", (event) => open(keyAt(event)));
  body.addEventListener("keydown", (event) => {
    const row = keyAt(event);
    const steps: Readonly<Record<string, number>> = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10, Home: -1e9, End: 1e9 };
    const step = steps[event.key];
    if (!row) return;
    if (step !== undefined) moveFocus(row, step);
    else if (event.key === "Enter" || event.key === " ") open(row);
    else return;
    event.preventDefault();
  });
  byId("filter").addEventListener("input", arrange);
  byId("close").addEventListener("click", () => byId<HTMLDialogElement>("detail").close());
}

function connection(text: string, on: boolean): void {
  const box = byId("connection");
  box.textContent = text;
  box.className = on ? "on" : "off";
}

function showLogin(): void {
  byId("page").hidden = true;
  byId("login").hidden = false;
  connection("not logged in", false);
}

async function login(token: string): Promise<void> {
  const response = await fetch("/login", { method: "POST", body: token });
  if (response.ok) return location.replace("/");
  byId("login-error").textContent = "That is not the token.";
}

async function begin(): Promise<void> {
  const state = await ask<State>("/dashboard/state");
  byId("host").textContent = `${state.node} · ${state.root}`;
  document.title = `Holdfast · ${state.node}`;
  byId("page").hidden = false;
  rows.clear();
  const lines = new Map(state.lines);
  for (const object of state.objects) {
    const row = rowFor(object);
    row.points = (lines.get(object.key) ?? []).map(pointOf);
    showObject(row);
  }
  byId("events").replaceChildren();
  for (const event of [...state.events].reverse()) addEvent(event, true);
  arrange();
}

function follow(): void {
  const source = new EventSource("/dashboard/stream");
  const on = <T>(name: string, take: (data: T) => void): void =>
    source.addEventListener(name, (event) => take(JSON.parse((event as MessageEvent<string>).data) as T));
  let broken = false;
  source.onopen = () => {
    connection("live", true);
    // What happened meanwhile was not told.
    if (broken) void begin().catch(() => {});
    broken = false;
  };
  source.onerror = () => {
    broken = true;
    connection("the controller does not answer; trying again …", false);
  };
  on<Happened>("happened", (event) => addEvent(event));
  on<string>("gone", (key) => {
    const row = rows.get(key);
    if (row) watcher.unobserve(row.element);
    rows.delete(key);
    arrange();
  });
  on<Summary>("object", (object) => {
    const known = rows.get(object.key);
    const row = known ?? rowFor(object);
    const moved = !known || known.object.parent !== object.parent;
    row.object = object;
    showObject(row);
    if (moved) arrange();
    else showTiles();
  });
  on<UsageLine[]>("usage", (lines) => {
    for (const [key, ...numbers] of lines) {
      const row = rows.get(key);
      if (!row) continue;
      row.points.push(pointOf(numbers));
      if (row.points.length > MOST_POINTS) row.points.shift();
      if (!row.visible) continue;
      showUsage(row);
      drawLine(row);
    }
  });
}

async function start(): Promise<void> {
  listen();
  byId("login-form").addEventListener("submit", (event) => {
    event.preventDefault();
    void login(byId<HTMLInputElement>("token").value.trim());
  });
  if (location.pathname === "/login") {
    const token = location.hash.slice(1);
    showLogin();
    if (token !== "") {
      // Not in the history of the browser.
      history.replaceState(null, "", "/login");
      await login(token);
    }
    return;
  }
  await begin();
  follow();
}

start().catch((error: Error) => connection(error.message, false));
