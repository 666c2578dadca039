/** The page at /, in a real browser: what it shows is what the kernel says, and it talks to nobody else. */
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import type { Browser, Page } from "playwright-core";
import { Live, until, whyNotLive } from "../support/live.ts";
import { group, workload } from "../support/manifests.ts";
import { chromium, Served, whyWithout } from "../support/served.ts";

const why = whyNotLive ?? whyWithout(chromium);
const QUIET = "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync";

(why === undefined ? describe : describe.skip)("the page", () => {
  let live: Live;
  let browser: Browser;
  beforeEach(async () => {
    live = new Live();
    const { chromium: driver } = await import("playwright-core");
    browser = await driver.launch({ executablePath: chromium ?? "/usr/bin/chromium", args: QUIET.split(" ") });
  });
  afterEach(async () => {
    await browser.close();
    await live.close();
  });

  const MANIFEST = [
    group("outer", "{limits: {memory.max: 64Mi, pids.max: 50}}"),
    group("inner", "{parentRef: {name: outer}, limits: {pids.max: 20}}"),
    workload("web", "{limitGroupRef: {name: inner}, command: [sleep, '300']}"),
  ].join("---\n");

  /** Logged in by the address that `holdfast dashboard` prints. */
  async function open(options: Parameters<Browser["newContext"]>[0] = {}): Promise<{ page: Page; trouble: string[]; served: Served }> {
    const served = new Served(live, (await live.started(MANIFEST, "--resync", "1s", "--listen", "127.0.0.1:0")).output());
    await until("it runs", () => live.pid("web"));
    const context = await browser.newContext({ ignoreHTTPSErrors: true, ...options });
    const page = await context.newPage();
    const trouble: string[] = [];
    page.on("console", (message) => trouble.push(message.text()));
    page.on("pageerror", (error) => trouble.push(error.message));
    page.on("request", (request) => {
      if (!request.url().startsWith(`https://127.0.0.1:${served.port}/`) && !request.url().startsWith("data:")) trouble.push(`asks ${request.url()}`);
    });
    await page.goto(live.holdfast("dashboard").stdout.trim());
    await page.locator("#rows tr").first().waitFor({ timeout: 15_000 });
    return { page, trouble, served };
  }

  test("shows the tree with usage against limits, and drift as it happens", async () => {
    const { page, trouble } = await open();
    expect(await page.locator("#rows button.name").allTextContents()).toEqual(["outer", "inner", "web"]);
    const outer = page.locator('#rows tr[data-key="LimitGroup/outer"]');
    await outer.getByText(`${live.read("pids", "outer", "pids.current")} of 50`).waitFor({ timeout: 10_000 });
    await outer.getByText(/iB of 64 MiB/).waitFor();
    expect(await page.locator("#tiles").textContent()).toMatch(/2\s*groups1\s*workloads0\s*not ready/);
    live.behind("pids", "outer", "pids.max", "9");
    await page.locator("#events li", { hasText: "pids.max was 9, is 50 again" }).waitFor({ timeout: 10_000 });
    await outer.getByText("once").waitFor();
    live.write(`${MANIFEST}---\n${group("late", "{}")}`);
    await page.locator("#rows button.name", { hasText: "late" }).waitFor();
    live.write(MANIFEST);
    await page.locator("#rows button.name", { hasText: "late" }).waitFor({ state: "detached" });
    await page.locator(".spark canvas").first().waitFor({ timeout: 15_000 });
    expect(trouble).toEqual([]);
  });

  test("is used with a keyboard: to a row, into an object, and out again", async () => {
    const { page, trouble } = await open();
    await page.locator("#filter").focus();
    await page.keyboard.press("Tab");
    await page.keyboard.press("ArrowDown");
    expect(await page.evaluate("document.activeElement.textContent")).toBe("inner");
    await page.keyboard.press("Enter");
    const detail = page.locator("#detail");
    await detail.getByText("as declared").waitFor();
    expect(await detail.textContent()).toMatch(/LimitGroup\/inner.*pids\.max20as declared.*a\.yaml:\d+.*outer.*memory\.max 64Mi.*parentRef: \{name: outer\}/s);
    await page.keyboard.press("Escape");
    await detail.waitFor({ state: "hidden" });
    expect(await page.evaluate("document.activeElement.textContent")).toBe("inner");
    await page.locator("#filter").fill("web");
    expect(await page.locator("#rows tr:visible button.name").allTextContents()).toEqual(["outer", "inner", "web"]);
    await page.locator("#filter").fill("nothing");
    expect(await page.locator("#rows tr:visible").count()).toBe(0);
    expect(trouble).toEqual([]);
  });

  test("fits a phone, has no unnamed control, and asks for the token", async () => {
    const { page, served, trouble } = await open({ viewport: { width: 390, height: 800 }, colorScheme: "dark" });
    expect(await page.evaluate("document.documentElement.scrollWidth <= innerWidth")).toBe(true);
    const unnamed = "[...document.querySelectorAll('button, input')].filter((one) => !one.textContent.trim() && !one.labels?.length).length";
    expect(await page.evaluate(unnamed)).toBe(0);
    expect(trouble).toEqual([]);
    const stranger = await (await browser.newContext({ ignoreHTTPSErrors: true })).newPage();
    await stranger.goto(`https://127.0.0.1:${served.port}/`);
    await stranger.locator("#token").fill("wrong");
    await stranger.keyboard.press("Enter");
    await stranger.getByText("That is not the token.").waitFor();
    await stranger.locator("#token").fill(served.token);
    await stranger.keyboard.press("Enter");
    await stranger.locator("#rows tr").first().waitFor({ timeout: 15_000 });
  });

  test("goes on when the controller comes back", async () => {
    const { page, served } = await open();
    await live.stop();
    await page.getByText("trying again").waitFor({ timeout: 15_000 });
    await live.started(undefined, "--resync", "1s", "--listen", `127.0.0.1:${served.port}`);
    await page.locator("#connection.on").waitFor({ timeout: 20_000 });
  });
});
