/** Knows the shape of the two kinds as people write them. Generated from schemas/ by `npm run generate`: edit those. */

export type Manifest = LimitGroup | Workload;
/** Memory in huge pages of this size; the kernel rounds down to a whole page. Bytes, a quantity, or max. */
export type Hugetlb = string | number;
/** A name or a number. */
export type Account = string | number;
/** One argument, as text. */
export type Argument = string;
export type Text = string;
/** A number, or unlimited. */
export type Rlimit = number | string;
/** A capability without CAP_, or ALL. */
export type Capability =
  | "ALL"
  | "CHOWN"
  | "DAC_OVERRIDE"
  | "DAC_READ_SEARCH"
  | "FOWNER"
  | "FSETID"
  | "KILL"
  | "SETGID"
  | "SETUID"
  | "SETPCAP"
  | "LINUX_IMMUTABLE"
  | "NET_BIND_SERVICE"
  | "NET_BROADCAST"
  | "NET_ADMIN"
  | "NET_RAW"
  | "IPC_LOCK"
  | "IPC_OWNER"
  | "SYS_MODULE"
  | "SYS_RAWIO"
  | "SYS_CHROOT"
  | "SYS_PTRACE"
  | "SYS_PACCT"
  | "SYS_ADMIN"
  | "SYS_BOOT"
  | "SYS_NICE"
  | "SYS_RESOURCE"
  | "SYS_TIME"
  | "SYS_TTY_CONFIG"
  | "MKNOD"
  | "LEASE"
  | "AUDIT_WRITE"
  | "AUDIT_CONTROL"
  | "SETFCAP"
  | "MAC_OVERRIDE"
  | "MAC_ADMIN"
  | "SYSLOG"
  | "WAKE_ALARM"
  | "BLOCK_SUSPEND"
  | "AUDIT_READ"
  | "PERFMON"
  | "BPF"
  | "CHECKPOINT_RESTORE";
/** An absolute path. */
export type Path = string;
/** A part of a label. */
export type Word = string;
/** A host name or an address. */
export type Host = string;

/** A cgroup with limits, and a parent for Workloads and other LimitGroups. */
export interface LimitGroup {
  /** Version of this schema. */
  apiVersion: "holdfast.dev/v1alpha1";
  /** LimitGroup. */
  kind: "LimitGroup";
  metadata: Metadata;
  /** What the cgroup should be. */
  spec?: {
    parentRef?: Reference;
    /** Path, below each hierarchy's root, of a cgroup that somebody else has made; or a glob of several (* is anything but a slash, ** anything). Only declared limits are compared and written there. Excludes parentRef, frozen and members. */
    cgroupPath?: string;
    /** With cgroupPath: what becomes of a limit that is declared no more. Restore: what was found before the first write is written back. Reset: the kernel's default. Orphan: it stays as it is. */
    deletionPolicy?: "Restore" | "Reset" | "Orphan";
    limits?: Limits;
    /** Suspend every process below the group; false resumes them. */
    frozen?: boolean;
    /**
     * Rules that draw processes of the host into the group, with their children and threads, and keep them there. Of all rules of all groups the first that fits counts: groups in the order of their names, rules in the order in which they stand.
     *
     * @maxItems 100
     */
    members?: Member[];
    /** What to do when the machine moved away from the manifest: put it back, or only tell. */
    drift?: "Repair" | "Report";
    /**
     * Limits that somebody else may set by hand or by a program: what differs there is neither told nor put back. One that is declared is written when it is new or changed.
     *
     * @maxItems 50
     */
    ignore?: string[];
  };
}
/** Name and labels, as in Kubernetes. */
export interface Metadata {
  /** Unique among the objects of the kind: lower-case letters, digits and dashes (an RFC 1123 label). */
  name: string;
  /** Key and value pairs to group objects by, with Kubernetes' syntax. */
  labels?: {
    [k: string]: string;
  };
  /** Key and value pairs for tools. holdfast.dev/force: "true" lets memory.max go below what is in use. */
  annotations?: {
    [k: string]: string;
  };
}
/** A LimitGroup by name. */
export interface Reference {
  /** metadata.name of the LimitGroup. */
  name: string;
}
/** Limits of one cgroup. Each key is the name of the kernel's cgroup v2 file, on every host; on cgroup v1 Holdfast writes the file that means the same. A key that is not declared is at its kernel default. */
export interface Limits {
  /** CPU time the group may use per period: a percentage of one CPU (20%), a Kubernetes CPU quantity (200m, 0.2, 1.5), {quota, period}, or max. The smallest quota is 1ms, the period 1ms to 1s (default 100ms). */
  "cpu.max"?:
    | string
    | number
    | {
        /** CPU time per period, as a duration, or max. */
        quota: string;
        /** Length of the period, 1ms to 1s. */
        period?: string;
      };
  /** Unused quota that may be saved up and spent later; at most the quota. */
  "cpu.max.burst"?: string | number;
  /** Share of CPU time under contention, relative to the siblings. */
  "cpu.weight"?: number;
  /** Run only when nobody else wants the CPU. Excludes cpu.weight. */
  "cpu.idle"?: boolean;
  /** CPUs the group may run on, as a list of numbers and ranges. Undeclared: those of the parent. */
  "cpuset.cpus"?: string | number;
  /** Memory nodes the group may allocate from, as a list of numbers and ranges. Undeclared: those of the parent. */
  "cpuset.mems"?: string | number;
  /** Hard limit on memory; above it the kernel reclaims, then kills. Bytes or a Kubernetes quantity (200Mi, 1G), or max. The kernel rounds down to a page. */
  "memory.max"?: string | number;
  /** Throttling threshold: above it the group is slowed and reclaimed, never killed. cgroup v2 only. */
  "memory.high"?: string | number;
  /** Best-effort protection: memory below it is reclaimed last. On cgroup v1 it is memory.soft_limit_in_bytes, where 0 (no protection) and max are both 'unlimited'. */
  "memory.low"?: string | number;
  /** Hard protection: memory below it is never reclaimed. cgroup v2 only. */
  "memory.min"?: string | number;
  /** Limit on swap alone; 0 means no swap. On cgroup v1 it is memory.memsw.limit_in_bytes = memory.max + this, and needs memory.max. */
  "memory.swap.max"?: string | number;
  /** When the group runs out of memory, kill all of it rather than one process. cgroup v2 only. */
  "memory.oom.group"?: boolean;
  /** How eagerly anonymous memory is swapped, 0 to 200. cgroup v1 only. Undeclared: that of the parent. */
  "memory.swappiness"?: number;
  /** Number of processes and threads, or max. */
  "pids.max"?: string | number;
  /** Bandwidth and operations per second of whole disks; undeclared devices and rates are unlimited. */
  "io.max"?: {
    /** A disk: its node (/dev/sda), its number (8:0), or path:/srv for the disk under a directory. */
    device: string;
    /** Bytes read per second (30M is 30 000 000), or max. */
    rbps?: string | number;
    /** Bytes written per second, or max. */
    wbps?: string | number;
    /** Read operations per second, or max. */
    riops?: string | number;
    /** Write operations per second, or max. */
    wiops?: string | number;
  }[];
  /** Share of disk time under contention, relative to the siblings. It acts only on disks that run the bfq scheduler or iocost. On cgroup v1 it is blkio.bfq.weight (1 to 1000; 100 stays 100). */
  "io.weight"?: number;
  "hugetlb.64KB.max"?: Hugetlb;
  "hugetlb.2MB.max"?: Hugetlb;
  "hugetlb.32MB.max"?: Hugetlb;
  "hugetlb.512MB.max"?: Hugetlb;
  "hugetlb.1GB.max"?: Hugetlb;
  "hugetlb.16GB.max"?: Hugetlb;
}
/** Processes of which everything that is written here is true. */
export interface Member {
  user?: Account;
  group?: Account;
  /** Path of the program (/proc/PID/exe), as a glob: * is anything but a slash, ** anything. A program that was replaced since counts as what it was. */
  exe?: string;
  /** The kernel's name of the process (/proc/PID/comm), in full: the first 15 bytes of the program's file name, unless it calls itself otherwise. */
  comm?: string;
  /** A JavaScript regular expression, without backreferences and lookarounds, that is found in the command line, whose words are joined by blanks; of a long one the first 4096 characters count. */
  cmdline?: string;
  /** Path of a cgroup that it is in, or came from, in any hierarchy, as a glob. Processes in a cgroup that somebody else looks after (a systemd unit, a container runtime) are drawn only by rules with this field. */
  cgroup?: string;
  /** File with the number of the process. It must belong to root, or to the user of that process. */
  pidFile?: string;
  not?: Member;
  /**
   * At least one of these must be true.
   *
   * @minItems 1
   * @maxItems 100
   */
  any?: Member[];
}
/** A command that is kept running (or run once) inside its own cgroup. */
export interface Workload {
  /** Version of this schema. */
  apiVersion: "holdfast.dev/v1alpha1";
  /** Workload. */
  kind: "Workload";
  metadata: Metadata;
  /** What should run, and how. */
  spec: {
    limitGroupRef?: Reference;
    limits?: Limits;
    /** What to do when the machine moved away from the manifest: put it back, or only tell. */
    drift?: "Repair" | "Report";
    /**
     * Limits that somebody else may set by hand or by a program: what differs there is neither told nor put back. One that is declared is written when it is new or changed.
     *
     * @maxItems 50
     */
    ignore?: string[];
    /** How many copies run. Each has its own cgroup NAME@ORDINAL and finds its number in HOLDFAST_ORDINAL. */
    replicas?: number;
    /** How a change of what the processes are started with reaches the replicas: a few at a time, the highest ordinals first. */
    strategy?: {
      /** How many replicas may be unavailable at a time: a number, or a percentage of replicas (rounded down, at least one). */
      maxUnavailable?: number | string;
      /** How long a replica must have been ready before it counts as available. */
      minReadySeconds?: number;
      /** Without progress for this long, the rollout is told to have failed; the replicas that still run as before are left alone. */
      progressDeadlineSeconds?: number;
    };
    /**
     * The program and its first arguments; no shell. A program without a slash is looked up in the workload's PATH. $(NAME) stands for a variable of env or envFrom, $$ for a dollar sign. Required, unless an image has an entrypoint.
     *
     * @minItems 1
     */
    command?: Argument[];
    /** More arguments, appended to command. */
    args?: Argument[];
    /**
     * Commands that run one after the other, each to completion, before every start of the main one: in its cgroup, as its user, into its log.
     *
     * @maxItems 20
     *
     * Items: One such command.
     */
    initCommands?: {
      /** Its name, for status and events. */
      name: string;
      /**
       * The program and its first arguments.
       *
       * @minItems 1
       */
      command: Argument[];
      /** More arguments, appended to command. */
      args?: Argument[];
    }[];
    /** Environment variables. The workload gets these, envFrom's, PATH, and nothing of the controller's own environment. $(NAME) in a value stands for a variable above it. */
    env?: {
      /** Name of the variable. */
      name: string;
      value?: Text;
    }[];
    /** Files of NAME=value lines; env wins over them, a later file over an earlier one. A file that changes restarts the workload. */
    envFrom?: {
      /** Absolute path of the file. */
      file: string;
      /** Start also when the file does not exist. */
      optional?: boolean;
    }[];
    /** Directory the command starts in, an absolute path. */
    workingDir?: string;
    user?: Account;
    group?: Account;
    /** All further groups; none is inherited. Default: those that the group database gives the user. */
    supplementaryGroups?: Account[];
    /** Permissions that new files do not get, in octal and in quotes (umask(2)). */
    umask?: string;
    /** Nice value (setpriority(2)): lower is more important. */
    nice?: number;
    /** Priority at the disk (ioprio_set(2)); the names are the OCI runtime specification's. */
    ioPriority?: {
      /** Real time, best effort or idle. */
      class: "IOPRIO_CLASS_RT" | "IOPRIO_CLASS_BE" | "IOPRIO_CLASS_IDLE";
      /** Within the class, 0 is the most important. */
      priority?: number;
    };
    /** CPU scheduling (sched(7)); the names are the OCI runtime specification's. */
    schedulingPolicy?: {
      /** The scheduling policy. */
      policy: "SCHED_OTHER" | "SCHED_BATCH" | "SCHED_IDLE" | "SCHED_FIFO" | "SCHED_RR";
      /** For SCHED_FIFO and SCHED_RR: 99 is the most important. */
      priority?: number;
    };
    /** CPUs that the command may use at first (sched_setaffinity(2)). It may widen this itself; limits: {cpuset.cpus} it may not. */
    cpuAffinity?: string;
    /** Inclination of the kernel's OOM killer to take it (proc(5), oom_score_adj). */
    oomScoreAdj?: number;
    /**
     * Resource limits of each single process (setrlimit(2)); the names are the OCI runtime specification's.
     *
     * Items: One limit.
     */
    rlimits?: {
      /** Which limit. */
      type:
        | "RLIMIT_AS"
        | "RLIMIT_CORE"
        | "RLIMIT_CPU"
        | "RLIMIT_DATA"
        | "RLIMIT_FSIZE"
        | "RLIMIT_LOCKS"
        | "RLIMIT_MEMLOCK"
        | "RLIMIT_MSGQUEUE"
        | "RLIMIT_NICE"
        | "RLIMIT_NOFILE"
        | "RLIMIT_NPROC"
        | "RLIMIT_RSS"
        | "RLIMIT_RTPRIO"
        | "RLIMIT_RTTIME"
        | "RLIMIT_SIGPENDING"
        | "RLIMIT_STACK";
      soft: Rlimit;
      hard?: Rlimit;
    }[];
    /** Docker's defaults at once: private pid, mount, network, ipc, uts and cgroup namespaces, Docker's 14 capabilities, the RuntimeDefault seccomp profile, a minimal /dev, masked and read-only paths below /proc and /sys, and no device but those. Without an image, the root file system is read-only and shows /usr and what programs need of /etc. Needs crun or runc. */
    confined?: boolean;
    /** What the processes are allowed, with the names of a pod's securityContext; also without confined. */
    securityContext?: {
      /** Capabilities (capabilities(7)), taken from or given to what the processes have otherwise. What is added is ambient for a user other than root. */
      capabilities?: {
        /** Taken away first; ALL takes all away. */
        drop?: Capability[];
        /** Given then; ALL gives all that the host has. */
        add?: Capability[];
      };
      /** All capabilities, no seccomp profile, nothing masked or read-only, every device. Needs the annotation holdfast.dev/privileged: "true". */
      privileged?: boolean;
      /** False sets no_new_privs: no program gives more privileges than its caller has (setuid, file capabilities). */
      allowPrivilegeEscalation?: boolean;
      /** Mounts the root file system read-only; volumes stay as they are declared. Without an image it always is. */
      readOnlyRootFilesystem?: boolean;
      /** Refuses to start as user 0. */
      runAsNonRoot?: boolean;
      /** Unmasked leaves away the masked and read-only paths that confined brings. */
      procMount?: "Default" | "Unmasked";
      /** More paths that read as empty. */
      maskedPaths?: Path[];
      /** More paths that cannot be written. */
      readonlyPaths?: Path[];
      /** Which system calls are allowed. Default: RuntimeDefault when confined, else Unconfined. */
      seccompProfile?: {
        /** RuntimeDefault: Holdfast's own, which blocks what Docker's profile blocks. Localhost: a file. */
        type: "RuntimeDefault" | "Localhost" | "Unconfined";
        localhostProfile?: Path;
        /** The kernel logs each call that is not allowed (SECCOMP_FILTER_FLAG_LOG). */
        log?: boolean;
      };
      /** The AppArmor profile. */
      appArmorProfile?: {
        /** Localhost: a profile that is loaded on this host. */
        type: "Localhost" | "Unconfined";
        /** Name of the profile, as aa-status lists it, for type Localhost. */
        localhostProfile?: string;
      };
      /** The SELinux label of the processes. */
      seLinuxOptions?: {
        user?: Word;
        role?: Word;
        type?: Word;
        level?: Word;
      };
    };
    /** Namespaces of the processes (namespaces(7)). Default: all but user Private when confined, else all Host. */
    namespaces?: {
      /** Process ids. Private needs a private mount namespace. */
      pid?: "Private" | "Host";
      /** Mounts: the root file system, volumes, /dev. */
      mount?: "Private" | "Host";
      /** Network. Private has a loopback interface, and nothing else. */
      network?: "Private" | "Host";
      /** System V IPC and POSIX message queues. */
      ipc?: "Private" | "Host";
      /** Host name. */
      uts?: "Private" | "Host";
      /** Private sees its own cgroup as the root. */
      cgroup?: "Private" | "Host";
      /** A user namespace: which ids of the host stand behind those inside. Needs a private mount namespace. Default: the host's. */
      user?: {
        /**
         * User ids.
         *
         * @minItems 1
         * @maxItems 340
         */
        uidMappings: IdMapping[];
        /**
         * Group ids. Default: as uidMappings.
         *
         * @minItems 1
         * @maxItems 340
         */
        gidMappings?: IdMapping[];
      };
    };
    /** Host name inside a private uts namespace. Default: the name of the workload and the replica's number. */
    hostname?: string;
    /**
     * Directories and files of the host, and memory, mounted in a private mount namespace. A hostPath must exist.
     *
     * @maxItems 100
     *
     * Items: One volume: hostPath or tmpfs.
     */
    volumes?: {
      hostPath?: Path;
      /** A file system in memory, empty at each start; what is in it counts as the workload's memory. */
      tmpfs?: {
        /** Most that fits in. */
        size?: string | number;
        /** Permissions of its directory, octal. */
        mode?: string;
      };
      mountPath: Path;
      /** Read-only, with all that is mounted below it. */
      readOnly?: boolean;
      /** With a user namespace: files of the host's user 0 are those of user 0 inside, and so on (an id-mapped mount). */
      idmap?: boolean;
    }[];
    /**
     * Devices of the host that are there inside, beside null, zero, full, random, urandom, tty and ptmx; all others cannot be opened. Needs a private mount namespace.
     *
     * @maxItems 100
     *
     * Items: One device.
     */
    devices?: {
      path: Path;
      /** What is allowed: read, write, mknod. */
      access?: string;
    }[];
    /** The root file system, from an image on this host; needs confined: true. It is writable (what is written counts as the workload's memory, and is gone after each run) unless readOnlyRootFilesystem is set. command, args, workingDir and user default to the image's. Needs umoci. */
    image?: {
      layout?: Path;
      archive?: Path;
      /** Which image: the digest of its manifest (or of an index) in the layout, or of the archive file. All that it leads to is hashed again before it is unpacked. Another digest is a new revision. */
      digest: string;
      /** Only an image that is signed by this key under this name is unpacked. The signature is cosign's, in the layout. */
      verify?: {
        publicKey: Path;
        /** The name that was signed (docker-reference). */
        identity: string;
      };
      /** Room for what is written to the root file system in one run. */
      writableSize?: string | number;
    };
    /** When to start again after the command ended. Default: Always; beside schedule OnFailure. */
    restartPolicy?: "Always" | "OnFailure" | "Never";
    /**
     * Exit codes that start the command again whatever restartPolicy says, as in Kubernetes.
     *
     * @maxItems 20
     *
     * Items: The first rule that matches counts.
     */
    restartPolicyRules?: {
      /** What to do. */
      action: "Restart";
      /** Which exit codes. */
      exitCodes: {
        /** Whether the exit code must be one of the values, or none of them. */
        operator: "In" | "NotIn";
        /**
         * Exit codes.
         *
         * @minItems 1
         * @maxItems 255
         *
         * Items: An exit code.
         */
        values: number[];
      };
    }[];
    /** Pause before a restart, as in Kubernetes: the first restart is immediate, then initial, growing by factor up to max. */
    backoff?: {
      /** First pause. */
      initial?: string;
      /** Growth of each following pause. */
      factor?: number;
      /** Longest pause. */
      max?: string;
      /** A run that lasted this long starts the count anew. */
      resetAfter?: string;
    };
    /** So many restarts within so much time, and no more: then it stays down until its manifest changes or somebody restarts it. Default: no such limit. */
    maxRestarts?: {
      /** Number of restarts. */
      count: number;
      /** Time in which they are counted. Default: since the first start of this revision. */
      window?: string;
    };
    /** Seconds between the stop signal and the kill of the whole cgroup. */
    terminationGracePeriodSeconds?: number;
    /** Signal that asks the main process to end. */
    stopSignal?: "SIGTERM" | "SIGINT" | "SIGQUIT" | "SIGHUP" | "SIGUSR1" | "SIGUSR2" | "SIGWINCH" | "SIGKILL";
    /** Mixed: the stop signal goes to the main process, and what is left when it has ended is killed. ControlGroup: the signal goes to all processes of the cgroup. Process: only the main process is asked and ended; what it leaves behind runs on for as long as the workload is declared. As systemd.kill(5). */
    killMode?: "Mixed" | "ControlGroup" | "Process";
    startupProbe?: Probe;
    livenessProbe?: Probe;
    readinessProbe?: Probe;
    /** What to do after a start and before a stop. */
    lifecycle?: {
      postStart?: Handler;
      preStop?: Handler;
    };
    /**
     * Workloads that must be so far before this one starts. They are stopped after it.
     *
     * @maxItems 50
     *
     * Items: One workload.
     */
    dependsOn?: {
      /** metadata.name of the workload. */
      name: string;
      /** Started: it runs. Ready: all its replicas are ready. Completed: it ran to completion. */
      condition?: "Started" | "Ready" | "Completed";
    }[];
    /** Makes it a job that runs at these times: minute, hour, day of month, month, day of week (crontab(5)), or @hourly, @daily, @weekly, @monthly, @yearly. Beyond crontab(5): L is the last day of a month, 5L its last Friday, 5#2 its second one, 15W the weekday nearest to the 15th, ? the same as *, and with + before the day of week both days must match. */
    schedule?: string;
    /** Time zone of the schedule, by its name in the IANA database. Default: the host's. */
    timeZone?: string;
    /** When a run is due while the last one is still at work. Forbid: it waits for its end, as long as startingDeadlineSeconds allows. Replace: the last one is stopped. */
    concurrencyPolicy?: "Forbid" | "Replace";
    /** How late a run may start (the controller was down, or the last run still at work). Default: however late. */
    startingDeadlineSeconds?: number;
    /** No new run of a schedule begins. */
    suspend?: boolean;
    /** A run, with its retries, that takes longer is stopped and has failed. Not with restartPolicy Always. */
    activeDeadlineSeconds?: number;
    /** How many times a failed run is tried again. Not with restartPolicy Always. Default: 6 for a schedule, else without end. */
    backoffLimit?: number;
    /** How many successful runs of a schedule the status keeps. */
    successfulJobsHistoryLimit?: number;
    /** How many failed runs of a schedule the status keeps. */
    failedJobsHistoryLimit?: number;
    /** Where standard output and error go: files that the workload itself appends to, which outlive the controller; or, written as the one word journald, systemd's journal. */
    logs?:
      | {
          /** Absolute directory of the log files. Default: a folder of the workload's name below the controller's log directory. */
          directory?: string;
          /** Size above which the beginning of a file is put aside, while the workload writes on. */
          maxSize?: string | number;
          /** How many files are kept, the live one included. */
          maxFiles?: number;
        }
      | string;
  };
}
/** A range of ids. */
export interface IdMapping {
  /** First id inside. */
  containerID: number;
  /** First id on the host. */
  hostID: number;
  /** How many. */
  size: number;
}
/** One way to look, and how often. */
export interface Probe {
  exec?: ExecAction;
  httpGet?: HttpGetAction;
  tcpSocket?: TcpSocketAction;
  /** Time after the start before the first look. */
  initialDelaySeconds?: number;
  /** Time between two looks. */
  periodSeconds?: number;
  /** A look that takes longer has failed. */
  timeoutSeconds?: number;
  /** So many successes in a row after a failure count as success; 1 for liveness and startup. */
  successThreshold?: number;
  /** So many failures in a row count as failure. */
  failureThreshold?: number;
  /** Grace period of a stop that this probe asks for; not for readiness. Default: the workload's. */
  terminationGracePeriodSeconds?: number;
}
/** A command inside the workload's cgroup, as its user; exit code 0 is success. */
export interface ExecAction {
  /**
   * The program and its arguments; no shell.
   *
   * @minItems 1
   */
  command: Argument[];
}
/** An HTTP request; a status from 200 to 399 is success. */
export interface HttpGetAction {
  host?: Host;
  /** Number of the port. */
  port: number;
  /** Path of the request, with what a URL cannot have percent-encoded. */
  path?: string;
  /** HTTPS: the certificate is not checked, as in Kubernetes. */
  scheme?: "HTTP" | "HTTPS";
  /**
   * Headers of the request.
   *
   * Items: One header.
   */
  httpHeaders?: {
    /** Name. */
    name: string;
    /** Value. */
    value: string;
  }[];
}
/** A TCP connection; that it opens is success. */
export interface TcpSocketAction {
  host?: Host;
  /** Number of the port. */
  port: number;
}
/** One of the ways to act. */
export interface Handler {
  exec?: ExecAction;
  httpGet?: HttpGetAction;
  tcpSocket?: TcpSocketAction;
  /** A pause. */
  sleep?: {
    /** Its length. */
    seconds: number;
  };
}
