/** Knows the command line: verbs, their options and examples, and which file of cli/ carries each out. */
import { readFileSync } from "node:fs";
import { Command, InvalidArgumentError, Option } from "commander";

const FILENAME = "directory (or file) of manifests; get, describe and logs use the running controller's by default";
const SHARED_OPTIONS: readonly Option[] = [
  new Option("--root <cgroup>", "the cgroup, below each hierarchy's root, that is Holdfast's").default("holdfast"),
  new Option("--cgroup-root <cgroup>", "the same as --root").hideHelp(),
  new Option("--run-dir <directory>", "where status and records are kept (default: /run/holdfast/ROOT)"),
  new Option("--log-dir <directory>", "where workloads' logs go (default: /var/log/holdfast)"),
  new Option("--trust <whom>", "owner: as root, follow only manifests that nobody else can change; any: all").choices(["owner", "any"]).default("owner"),
  new Option("--manifest-key <file>", "follow only manifests that are signed by this key (minisign's, or an ssh-ed25519 one)"),
  new Option("--no-color", "no colours, also on a terminal"),
  new Option("-v, --verbose", "say more about errors"),
];

const text = (json: boolean): Option =>
  new Option("-o, --output <format>", "output format")
    .choices(json ? ["text", "json"] : ["table", "wide", "json", "yaml", "name"])
    .default(json ? "text" : "table");
const imageOption = new Option("--image-dir <directory>", "where images are unpacked (default: /var/lib/holdfast/images)");
const servingOption = new Option("--serving-dir <directory>", "token, key and certificate of the port (default: /var/lib/holdfast/serving/ROOT)");
const pruneOption = new Option("--prune <how>", "force: an empty manifest directory, or most objects gone at once, is meant").choices(["force"]);

export function buildProgram(done: (code: number) => void, completing = false): Command {
  const program = new Command("holdfast");
  program
    .description("Declare limits and workloads in YAML, and the kernel follows: cgroup v1, v2 and any mix.")
    .version(version(), "-V, --version", "print the version");
  program.enablePositionalOptions().showSuggestionAfterError().showHelpAfterError("(holdfast --help tells more)").exitOverride();

  const verb = (usage: string, description: string, examples: readonly string[], filename = "-f, --filename <path>"): Command => {
    const command = program.command(usage).description(description).exitOverride();
    command.addOption(
      new Option(filename, FILENAME).argParser((value: string, before: string | undefined) => {
        if (before !== undefined) throw new InvalidArgumentError("It is given twice: put what belongs together into one directory.");
        return value;
      }),
    );
    for (const option of SHARED_OPTIONS) command.addOption(option);
    return command.addHelpText("after", `\nExamples:\n${examples.map((example) => `  $ holdfast ${example}`).join("\n")}`);
  };

  const snapshot = new Option("--snapshot <file>", "a host that capture has written down, in place of this one; needs no root");
  verb("validate", "Check manifests: schema, values, references. Needs no root and no host.\nExit code: 0 sound, 1 problems.", [
    "validate -f manifests",
    "validate -f /etc/holdfast -o json",
  ])
    .addOption(text(true))
    .addOption(snapshot)
    .action(async (options) => done((await import("./cli/validate.ts")).validate(options)));
  verb("diff", "Show all that apply would do, and why. Changes nothing.\nExit code: 0 no differences, 1 differences, 2 error.", [
    "diff -f manifests",
    "diff -f manifests -o json | jq .actions",
    "diff -f manifests --out plan.json",
  ])
    .addOption(text(true))
    .option("--out <file>", "save the plan, for apply")
    .addOption(snapshot)
    .action(async (options) => done((await import("./cli/diff.ts")).diff(options)));
  verb("apply [plan]", "Converge the machine once; with a plan that diff has saved, do that or nothing.\nExit code: 0 converged, 1 something was refused.", [
    "apply -f manifests",
    "apply plan.json",
    "apply -f manifests --root holdfast-staging",
  ])
    .addOption(imageOption)
    .addOption(pruneOption)
    .action(async (plan, options) => done(await (await import("./cli/apply.ts")).apply(plan, options)));
  verb("run", "Run the controller: converge, watch, repair. Workloads outlive it.", [
    "run -f /etc/holdfast/manifests",
    "run --ephemeral -f manifests",
    "run --resync 5s --log-format json",
    "run --user holdfast -f /etc/holdfast/manifests",
  ])
    .option("--ephemeral", "take everything down again at the end")
    .option("--resync <duration>", "time between full looks; events are acted on at once", "10s")
    .addOption(new Option("--log-format <format>", "how to tell what happens (default: text on a terminal, else json)").choices(["text", "json"]))
    .option("--simulate", "work on a simulated host in a temporary directory")
    .option("--user <name>", "give up root for all that does not take it: a small monitor keeps it, and does what manifests make necessary")
    .option("--listen <address>", "serve on a port of loopback too, with TLS and a token: 127.0.0.1:8443")
    .option("--allow-remote", "--listen may be an address that other machines reach")
    .addOption(servingOption)
    .addOption(new Option("--monitored", "this is the controller of a monitor").hideHelp())
    .addOption(imageOption)
    .addOption(pruneOption)
    .action(async (options) =>
      done(await (await import("./cli/run.ts")).run(options, { version: version(), page: new URL("../dist/page.html", import.meta.url) })),
    );
  verb("events [kind] [name]", "Show what happened, to all objects or one, and who was to blame as far as it is known.", [
    "events",
    "events workload web",
    "events --types Warning --watch",
  ])
    .addOption(new Option("-o, --output <format>", "output format").choices(["table", "json", "yaml"]).default("table"))
    .option("--types <type>", "Normal or Warning alone")
    .option("-w, --watch", "go on with what happens, while a controller runs")
    .action(async (kind, name, options) => done(await (await import("./cli/events.ts")).events(kind, name, options, version())));
  verb("top", "Show what groups and workloads (*) use of what they may: CPU, memory, I/O, processes, pressure.", [
    "top",
    "top --sort memory --filter batch",
    "top -n 1 -o json",
  ])
    .addOption(new Option("-o, --output <format>", "output format").choices(["table", "json"]).default("table"))
    .option("-n, --iterations <number>", "look so many times and end (default: on a terminal until q, else for ever)")
    .option("--interval <duration>", "time between two looks", "1s")
    .addOption(new Option("--sort <by>", "what comes first").choices(["cpu", "memory", "io", "pids", "name"]).default("cpu"))
    .option("--no-tree", "no tree: one list")
    .option("--filter <text>", "names with this text alone")
    .action(async (options) => done(await (await import("./cli/top.ts")).top(options)));
  verb("kubeconfig", "Print what kubectl needs to read the running controller (run --listen).", [
    "kubeconfig >holdfast.kubeconfig",
    "kubeconfig --root holdfast-staging",
  ])
    .addOption(servingOption)
    .action(async (options) => done(await (await import("./cli/kubeconfig.ts")).kubeconfig(options)));
  verb("dashboard", "Print the address of the running controller's page, token and all (run --listen).", ["dashboard"])
    .addOption(servingOption)
    .action(async (options) => done((await import("./cli/kubeconfig.ts")).dashboard(options)));
  verb(
    "audit [what]",
    "Tell what drifted, who looks after what on this host, and how far each process is confined. Opens nothing for writing.\nverify-log: whether the audit log is what was written.\nExit code: 0 clean, 1 drift (or a flaw), 2 error.",
    ["audit", "audit -f manifests -o json", "audit -o html >audit.html", "audit --max-exposure 5", "audit verify-log"],
  )
    .addOption(new Option("-o, --output <format>", "output format").choices(["text", "json", "junit", "sarif", "html"]).default("text"))
    .addOption(snapshot)
    .option("--max-exposure <score>", "processes of Holdfast's with a higher score, of 0 to 10, are findings")
    .option("--head <hash>", "verify-log: the hash of a line that must be there (default: the last one that the run directory knows of)")
    .action(async (what: string | undefined, options) => {
      if (what === undefined) return done(await (await import("./cli/audit.ts")).audit(options, version()));
      if (what !== "verify-log") throw new InvalidArgumentError(`audit: expected verify-log, found ${what}`);
      done((await import("./cli/verifyLog.ts")).verify(options));
    });
  verb("get [kind] [name]", "Show objects and how they are: limitgroups (lg), workloads (wl).", ["get", "get workloads -o wide", "get lg batch -o yaml"])
    .addOption(text(false))
    .action(async (kind, name, options) => done(await (await import("./cli/get.ts")).get(kind, name, options, version())));
  verb("describe <kind> [name]", "Show one object in full: limits, conditions, replicas, events.", ["describe workload web", "describe lg/batch"]).action(
    async (kind, name, options) => done(await (await import("./cli/get.ts")).describeObject(kind, name, options, version())),
  );
  verb("explain [what] [file]", "Tell what a field means, and which kernel files carry a limit; or what a limit of a cgroup comes to, and why.", [
    "explain",
    "explain workload.spec.backoff",
    "explain limitgroup.spec.limits.memory.max",
    "explain batch/web@0 memory.max",
  ]).action(async (what: string | undefined, file: string | undefined, options) => {
    if (what !== undefined && file !== undefined) return done(await (await import("./cli/explainValue.ts")).explainValue(what, file, options));
    done((await import("./cli/explain.ts")).explain(what));
  });
  verb(
    "logs <workload>",
    "Print what a workload wrote, since its last start.",
    ["logs web", "logs web --tail 20 -f", "logs pool --replica 2", "logs web --since 1h"],
    "--filename <path>",
  )
    .option("-f, --follow", "go on as it is written")
    .option("--tail <lines>", "the last lines only")
    .option("--since <duration>", "what was written since then, over all attempts; to within ten seconds")
    .option("--replica <ordinal>", "one replica; without it all of them")
    .option("--prefix", "the replica's name before each line (the default for several replicas)")
    .option("-p, --previous", "what the attempt before the last one wrote")
    .action(async (name, options) => done(await (await import("./cli/logs.ts")).logs(name, options)));
  verb("restart <workload>", "Start a workload's processes anew, as many at a time as its strategy allows; of a schedule, begin a run now.", [
    "restart web",
  ]).action(async (name, options) => done((await import("./cli/restart.ts")).restart(name, options)));
  verb("hold <object>", "For a time, leave values that are written by hand as they are on one object; then they are drift again.", [
    "hold batch --for 30m --reason 'load test'",
    "hold lg/batch --end",
  ])
    .option("--for <duration>", "how long")
    .option("--reason <words>", "why, for whoever finds it")
    .option("--end", "end the hold now")
    .action(async (name, options) => done((await import("./cli/hold.ts")).hold(name, options)));
  verb(
    "import <source> [args...]",
    "Print manifests made from what there is: cgconfig FILE, cgrules FILE, unit FILE..., docker run FLAGS..., compose FILE, cgroup PATH.\nExit code: 0 printed, 1 nothing, or something that needs mending.",
    [
      "import cgconfig /etc/cgconfig.conf",
      "import --rules /etc/cgrules.conf --users alice,bob cgconfig /etc/cgconfig.conf",
      "import unit /etc/systemd/system/web.service",
      "import docker run --memory 200m --cpus 0.5 nginx",
      "import compose compose.yaml",
      "import cgroup system.slice/web.service",
    ],
  )
    .addOption(
      new Option("--as <how>", "own: cgroups of Holdfast's (default of cgconfig); governed: those that are there (default of cgroup)").choices([
        "own",
        "governed",
      ]),
    )
    .option("--rules <file>", "cgconfig: rules that lead into the groups (cgrules.conf)")
    .option("--users <names>", "for whom templates become groups, where a rule names nobody")
    .passThroughOptions()
    .action(async (source, args, options) => done(await (await import("./cli/import.ts")).importManifests(source, args, options)));
  verb("capture <file>", "Write this host down as one file, for validate, diff and audit elsewhere (--snapshot). No secrets are in it.", [
    "capture host.json",
    "diff --snapshot host.json -f manifests",
  ]).action(async (file, options) => done((await import("./cli/capture.ts")).captureHost(file, options, version())));
  image(program, done);
  // What the monitor starts, for itself alone.
  program.command("parse-manifests", { hidden: true }).action(async () => done(await (await import("./cli/parseManifests.ts")).parseManifests()));
  // Carried out by the completion library, which is loaded when it is asked for (main).
  if (!completing)
    program
      .command("completion <shell>")
      .description("Print a completion script: bash, zsh, fish or powershell.")
      .addHelpText("after", "\nExamples:\n  $ holdfast completion bash >/etc/bash_completion.d/holdfast\n  $ source <(holdfast completion zsh)");
  program
    .command("version")
    .description("Print the version.")
    .addHelpText("after", "\nExamples:\n  $ holdfast version")
    .action(() => {
      process.stdout.write(`${version()}\n`);
      done(0);
    });
  return program;
}

/** `holdfast image`: no host and no manifests, only files. */
function image(program: Command, done: (code: number) => void): void {
  const group = program.command("image").description("Make, sign and check images for workloads (OCI layouts; no network).").exitOverride();
  const verb = (usage: string, description: string, example: string): Command =>
    group.command(usage).description(description).exitOverride().addHelpText("after", `\nExamples:\n  $ holdfast ${example}`);
  verb(
    "import <source> <layout>",
    "Put an image into a layout: from docker save, an OCI archive, or a directory with a root file system.",
    "image import web.tar /srv/images",
  )
    .option("--name <tag>", "tag it with a name")
    .action(async (source, layout, options) => done(await (await import("./cli/image.ts")).importFrom(source, layout, options)));
  verb("sign <layout>", "Sign an image of a layout, as cosign does.", "image sign /srv/images --key cosign.pem --identity registry.example/web:1")
    .requiredOption("--key <file>", "private key (PEM: ECDSA, Ed25519 or RSA)")
    .requiredOption("--identity <name>", "the name to sign it under")
    .option("--digest <digest>", "which image (default: the only one)")
    .action(async (layout, options) => done(await (await import("./cli/image.ts")).signIt(layout, options)));
  verb(
    "verify <layout>",
    "Hash all of an image again, and check its signature.\nExit code: 0 sound, 1 refused.",
    "image verify /srv/images --public-key cosign.pub --identity registry.example/web:1",
  )
    .option("--public-key <file>", "public key (PEM)")
    .option("--identity <name>", "the name it must be signed under")
    .option("--digest <digest>", "which image (default: the only one)")
    .action(async (layout, options) => done(await (await import("./cli/image.ts")).verifyIt(layout, options)));
}

function version(): string {
  const { version: number } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as { version: string };
  return number;
}
