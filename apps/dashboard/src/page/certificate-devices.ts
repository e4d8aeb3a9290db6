import {
  type Amount,
  type Certificate,
  type DeviceRow,
  type DeviceTable,
  deviceName,
} from '@vm-sync/core';
import { type Html, html, type Part } from './html.ts';
import { nothing, tableBox } from './parts.ts';
import { countText, datedSpanText, moment } from './text.ts';

/** Both sides' counts by device, where they differ first. */
export function devicesSection({ devices, direction }: Certificate, nowMs: number): Html {
  const title = html`<h2>Devices <span class="muted">counts as of ${moment(devices.atMs, nowMs)}${devices.window !== null && `, samples of ${datedSpanText(devices.window)}`}</span></h2>`;
  if (!devices.table) {
    return html`<section>${title}${nothing(`Not counted: ${devices.reason}. The proof above does not rest on it.`)}</section>`;
  }
  const { source, destination } = direction;
  return html`<section>${title}
${note(devices.table, destination)}
${tableBox(
  'Devices',
  html`<thead>
<tr><th scope="col">Device</th><th scope="col" class="number">Series, ${source}</th><th scope="col" class="number">Series, ${destination}</th><th scope="col" class="number">Samples, ${source}</th><th scope="col" class="number">Samples, ${destination}</th></tr>
</thead><tbody>${devices.table.rows.map(deviceLine)}${sums(devices.table)}</tbody>`,
)}</section>`;
}

function note({ fewer }: DeviceTable, destination: string): Part {
  if (fewer === 0) return undefined;
  return html`<p>${destination} holds fewer samples of ${countText(fewer)} ${fewer === 1 ? 'device' : 'devices'}: what is tolerated, what came late and is about to be repaired, or samples that one site holds twice. The proof is that of the checks, not of these counts.</p>`;
}

const deviceLine = (row: DeviceRow): Html =>
  amountLine(deviceName(row), row.source, row.destination);

function sums({ rows, rest, source, destination }: DeviceTable): Part {
  const others =
    rest.devices > 0 &&
    amountLine(`${countText(rest.devices)} more devices`, rest.source, rest.destination);
  return [others, rows.length + rest.devices > 1 && amountLine('All', source, destination)];
}

function amountLine(name: string, source: Amount, destination: Amount): Html {
  const cell = (one: number, other: number) =>
    one === other
      ? html`<td class="number">${countText(one)}</td>`
      : html`<td class="number differs">${countText(one)}</td>`;
  return html`<tr><td>${name}</td>${cell(source.series, source.series)}${cell(destination.series, source.series)}${cell(source.samples, source.samples)}${cell(destination.samples, source.samples)}</tr>`;
}
