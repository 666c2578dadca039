// Knows what a row of numbers says: median, quantiles, and the median of paired ratios.

/** The value below which a part of the numbers lies; NaN of none. */
export function quantile(numbers, part) {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted.length === 0 ? Number.NaN : sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))];
}

export function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  if (sorted.length === 0) return Number.NaN;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Each number divided by its neighbour in time, then the median: what slows both cancels out. */
export function pairedRatio(numbers, others) {
  return median(numbers.map((number, index) => number / others[index]));
}
