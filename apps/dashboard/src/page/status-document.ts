import type { Overview } from '../overview.ts';
import { actionsSection } from './actions-section.ts';
import { backfillSection } from './backfill-section.ts';
import { conflictSection, surplusSection } from './beside-section.ts';
import { eventsSection, failedSection } from './history-sections.ts';
import { html } from './html.ts';
import { repairSection, runsSection } from './run-sections.ts';
import { shell } from './shell.ts';
import { checkSection, directionSection, sitesSection, throughSection } from './status-sections.ts';
import { twinsSection } from './twins-section.ts';
import { beyondSection, stuckSection } from './unrepaired-sections.ts';
import { verdictSection, verdictWord } from './verdict.ts';

/** The status page: the one sentence first, then what it rests on, then what happened. */
export const statusDocument = (overview: Overview): string =>
  shell(
    `${verdictWord(overview)} · vm-sync ${overview.role}`,
    html`<main>
${verdictSection(overview)}
${actionsSection(overview)}
<div class="cards">
${directionSection(overview)}
${sitesSection(overview)}
${throughSection(overview)}
${checkSection(overview)}
${repairSection(overview)}
</div>
${twinsSection(overview)}
${failedSection(overview)}
${stuckSection(overview)}
${beyondSection(overview)}
${surplusSection(overview)}
${conflictSection(overview)}
${backfillSection(overview)}
${runsSection(overview)}
${eventsSection(overview)}
</main>`,
    overview.role,
  );
