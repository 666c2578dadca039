/** Knows the shape of the two kinds as people write them. Generated from schemas/ by `npm run generate`: edit those. */

export type Manifest = LimitGroup | Workload;
/** Memory in huge pages of this size; the kernel rounds down to a whole page. Bytes, a quantity, or max. */
export type Hugetlb = string | number;
/** One argument, as text. */
export type Argument = string;
export type Text = string;

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
    limits?: Limits;
    /** Suspend every process below the group; false resumes them. */
    frozen?: boolean;
    /** What to do when the machine moved away from the manifest: put it back, or only tell. */
    drift?: "Repair" | "Report";
  };
}
/** Name and labels, as in Kubernetes. */
export interface Metadata {
  /** Unique among the objects of the kind: lower-case letters, digits and dashes (an RFC 1123 label). */
  name: string;
  /** Key and value pairs to group objects by. */
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
    /** How many copies run. Each has its own cgroup NAME@ORDINAL and finds its number in HOLDFAST_ORDINAL. */
    replicas?: number;
    /**
     * The program and its first arguments; no shell. A program without a slash is looked up in the workload's PATH.
     *
     * @minItems 1
     */
    command: [Argument, ...Argument[]];
    /** More arguments, appended to command. */
    args?: Argument[];
    /** Environment variables. The workload gets these, envFrom's, PATH, and nothing of the controller's own environment. */
    env?: {
      /** Name of the variable. */
      name: string;
      value?: Text;
    }[];
    /** Files of NAME=value lines; env wins over them, a later file over an earlier one. A file that changes restarts the workload at the next resync. */
    envFrom?: {
      /** Absolute path of the file. */
      file: string;
      /** Start also when the file does not exist. */
      optional?: boolean;
    }[];
    /** Directory the command starts in, an absolute path. */
    workingDir?: string;
    /** When to start again after the command ended. */
    restartPolicy?: "Always" | "OnFailure" | "Never";
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
    /** Seconds between the stop signal and the kill of the whole cgroup. */
    terminationGracePeriodSeconds?: number;
    /** Signal that asks the main process to end. */
    stopSignal?: "SIGTERM" | "SIGINT" | "SIGQUIT" | "SIGHUP" | "SIGUSR1" | "SIGUSR2" | "SIGWINCH" | "SIGKILL";
    /** Where standard output and error go: files that the workload appends to, which outlive the controller. A file over maxSize is put aside when the workload next starts. */
    logs?: {
      /** Absolute directory of the log files. Default: a folder of the workload's name below the controller's log directory. */
      directory?: string;
      /** Size above which a file is put aside at the next start. */
      maxSize?: string | number;
      /** How many files are kept, the live one included. */
      maxFiles?: number;
    };
  };
}
