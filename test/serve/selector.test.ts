import { describe, expect, test } from "@jest/globals";
import type { Served } from "../../src/serve/object.ts";
import { fieldSelector, labelSelector } from "../../src/serve/selector.ts";

const object = (labels: Record<string, string>): Served => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "web-0", namespace: "default", uid: "u", labels },
  status: { phase: "Running" },
});

describe("label selectors", () => {
  const cases: readonly (readonly [string, boolean])[] = [
    ["", true],
    ["app", true],
    ["!app", false],
    ["!tier", true],
    ["app=web", true],
    ["app==web,env=prod", true],
    ["app=web,env=test", false],
    ["app!=web", false],
    ["tier!=web", true],
    ["app in (api, web)", true],
    ["app in (api)", false],
    ["app notin (api),env in (prod,test)", true],
    ["tier notin (web)", true],
    ["tier in (web)", false],
  ];
  test.each(cases)("%j: %s", (text, fits) => expect(labelSelector(text)?.(object({ app: "web", env: "prod" }))).toBe(fits));
  test.each(["app in web", "=web", "a b c", "app in (a", "(", "a=b=c"])("%j is none", (text) => expect(labelSelector(text)).toBeUndefined());
});

describe("field selectors", () => {
  const cases: readonly (readonly [string, boolean])[] = [
    ["metadata.name=web-0", true],
    ["metadata.name==web-1", false],
    ["metadata.name!=web-1,status.phase=Running", true],
    ["status.hostIP=", true],
    ["metadata.constructor=x", false],
    ["spec.nodeName!=", false],
  ];
  test.each(cases)("%j: %s", (text, fits) => expect(fieldSelector(text)?.(object({}))).toBe(fits));
  test.each(["=x", "metadata.name", "a b=c"])("%j is none", (text) => expect(fieldSelector(text)).toBeUndefined());
});
