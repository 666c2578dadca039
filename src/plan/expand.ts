/** Knows how `$(NAME)` is expanded: exactly as Kubernetes does it in a container's command, args and env. */

/**
 * `$(NAME)` is the variable's value, and stays as it is where there is no such variable; `$$` is a dollar sign; any other
 * dollar stays. Source: k8s.io/kubernetes/third_party/forked/golang/expansion.
 */
export function expand(text: string, variables: ReadonlyMap<string, string>): string {
  return text.replaceAll(/\$(?:\$|\(([^)]*)\))/g, (whole, name: string | undefined) => (name === undefined ? "$" : (variables.get(name) ?? whole)));
}
