// Numbers as people read them, the same way as pyrometer/units.py writes them.

const NS_PER_S = 1e9;

export function formatValue(value: number, unit: string): string {
  if (unit === "nanoseconds") return formatDuration(value / NS_PER_S);
  if (unit === "count") return `${value.toLocaleString("en-US")} ${value === 1 ? "sample" : "samples"}`;
  if (unit === "bytes") return formatBytes(value);
  return `${value.toLocaleString("en-US")} ${unit}`;
}

export function formatDuration(seconds: number): string {
  const magnitude = Math.abs(seconds);
  if (magnitude === 0) return "0 s";
  if (magnitude < 1e-3) return `${threeDigits(seconds * 1e6)} \u00b5s`;
  if (magnitude < 1) return `${threeDigits(seconds * 1e3)} ms`;
  if (magnitude < 120) return `${threeDigits(seconds)} s`;
  if (magnitude < 7200) return `${threeDigits(seconds / 60)} min`;
  return `${threeDigits(seconds / 3600)} h`;
}

export function formatShare(share: number): string {
  const percent = share * 100;
  const magnitude = Math.abs(percent);
  if (magnitude === 0) return "0%";
  if (magnitude < 0.01) return percent < 0 ? ">-0.01%" : "<0.01%";
  return `${percent.toFixed(magnitude < 1 ? 2 : 1)}%`;
}

// Returns a difference of shares in percentage points, with its sign.
export function formatPoints(difference: number): string {
  const points = difference * 100;
  return `${points > 0 ? "+" : points < 0 ? "\u2212" : ""}${Math.abs(points).toFixed(2)} points`;
}

export function formatMoney(amount: number, currency: string): string {
  const digits = Math.abs(amount) < 1000 ? 2 : 0;
  const number = amount.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
  return `${number} ${currency}`;
}

function formatBytes(count: number): string {
  let value = count;
  for (const unit of ["B", "KiB", "MiB", "GiB"]) {
    if (Math.abs(value) < 1024) return unit === "B" ? `${value.toFixed(0)} B` : `${threeDigits(value)} ${unit}`;
    value /= 1024;
  }
  return `${threeDigits(value)} TiB`;
}

function threeDigits(value: number): string {
  const magnitude = Math.abs(value);
  return value.toFixed(magnitude >= 100 ? 0 : magnitude >= 10 ? 1 : 2);
}
