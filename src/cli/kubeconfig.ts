/** Knows `holdfast kubeconfig`, and where a controller's port and credentials are. */
import { join } from "node:path";
import { CredentialsExposed, readCredentials } from "../host/credentials.ts";
import { loadController } from "../reconcile/state.ts";
import type { Listen } from "../serve/serve.ts";
import { type GlobalOptions, type Places, placesOf, UsageError } from "./context.ts";
import { note, out, structured } from "./print.ts";

export interface ServingDirectory {
  readonly servingDir?: string;
  readonly monitored?: boolean;
  readonly ephemeral?: boolean;
}

/** Where token and key are. Root's outlive a reboot; another user has them in the run directory. */
export function servingDirectory({ servingDir, monitored, ephemeral }: ServingDirectory, { runDirectory, root }: Places): string {
  if (servingDir !== undefined) return servingDir;
  const system = process.geteuid?.() === 0 && !monitored && !ephemeral && runDirectory === join("/run/holdfast", root);
  return system ? join("/var/lib/holdfast/serving", root) : join(runDirectory, "serving");
}

/** `127.0.0.1:8443`, `[::1]:8443`, `8443`. */
export function listenOf(text: string | undefined, allowRemote: boolean | undefined): Listen | undefined {
  if (text === undefined) return undefined;
  const found = /^(?:(\[[\da-fA-F:.]+\]|[^:[\]]+):)?(\d{1,5})$/.exec(text);
  const port = Number(found?.[2]);
  if (!found || port > 65_535) throw new UsageError(`--listen: expected an address and a port such as 127.0.0.1:8443, found ${text}`);
  const host = (found[1] ?? "127.0.0.1").replace(/^\[|\]$/g, "");
  const isLoopback = host === "localhost" || host === "::1" || /^127\.\d+\.\d+\.\d+$/.test(host);
  if (!isLoopback && !allowRemote) throw new UsageError(`--listen: ${host} can be reached from other machines; if that is meant, add --allow-remote`);
  return { host, port };
}

/** The port that the controller of a root serves. */
function served(options: GlobalOptions & ServingDirectory): { readonly server: string; readonly directory: string } {
  const places = placesOf(options);
  const { listen, servingDirectory: known } = loadController(places.runDirectory) ?? {};
  if (listen === undefined)
    throw new UsageError(
      `no controller of ${places.root} listens on a port: start it with holdfast run --listen 127.0.0.1:8443 (kubectl does not know unix sockets)`,
    );
  const host = listen.host === "0.0.0.0" ? "127.0.0.1" : listen.host === "::" ? "::1" : listen.host;
  return {
    server: `https://${host.includes(":") ? `[${host}]` : host}:${listen.port}`,
    directory: options.servingDir ?? known ?? servingDirectory(options, places),
  };
}

function credentialsOf(directory: string): NonNullable<ReturnType<typeof readCredentials>> {
  let found: ReturnType<typeof readCredentials>;
  try {
    found = readCredentials(directory);
  } catch (error) {
    if (error instanceof CredentialsExposed) throw new UsageError(error.message);
    throw error;
  }
  if (!found) throw new UsageError(`the token in ${directory} cannot be read: its owner alone can`);
  return found;
}

export async function kubeconfig(options: GlobalOptions & ServingDirectory): Promise<number> {
  const { server, directory } = served(options);
  const { token, certificate } = credentialsOf(directory);
  const name = options.root;
  out(
    await structured(
      {
        apiVersion: "v1",
        kind: "Config",
        clusters: [{ name, cluster: { server, "certificate-authority-data": Buffer.from(certificate).toString("base64") } }],
        users: [{ name, user: { token } }],
        contexts: [{ name, context: { cluster: name, user: name } }],
        "current-context": name,
      },
      "yaml",
    ),
  );
  return 0;
}

export function dashboard(options: GlobalOptions & ServingDirectory): number {
  const { server, directory } = served(options);
  // Behind the #, which browsers keep to themselves.
  out(`${server}/login#${credentialsOf(directory).token}`);
  note("whoever has this address can see all that Holdfast knows of this host");
  return 0;
}
