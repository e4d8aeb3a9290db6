import type { Person } from '../http/person.ts';
import type { Overview } from '../overview.ts';
import { actionsSection } from './actions-section.ts';
import { backfillSection } from './backfill-section.ts';
import { conflictSection, surplusSection } from './beside-section.ts';
import { checksSection } from './checks-section.ts';
import { gapMapSection } from './gap-map-section.ts';
import { eventsSection, failedSection } from './history-sections.ts';
import { html } from './html.ts';
import { repairSection, runsSection } from './run-sections.ts';
import { shell } from './shell.ts';
import { checkSection, directionSection, sitesSection, throughSection } from './status-sections.ts';
import { twinsSection } from './twins-section.ts';
import { beyondSection, stuckSection } from './unrepaired-sections.ts';
import { verdictSection, verdictWord } from './verdict.ts';

/** The status page: the one sentence first, what is lost and being done, what the sentence rests on, what happened. */
export const statusDocument = (overview: Overview, person?: Person): string =>
  shell(
    `${verdictWord(overview)} · vm-sync ${overview.role}`,
    html`<main>
${verdictSection(overview)}
${actionsSection(overview, person)}
${repairSection(overview)}
${gapMapSection(overview)}
${failedSection(overview)}
<div class="cards" id="cards">
${directionSection(overview)}
${sitesSection(overview)}
${throughSection(overview)}
${checkSection(overview)}
</div>
${twinsSection(overview)}
${stuckSection(overview)}
${beyondSection(overview)}
${surplusSection(overview)}
${conflictSection(overview)}
${backfillSection(overview)}
${checksSection(overview)}
${runsSection(overview)}
${eventsSection(overview)}
</main>`,
    { place: overview.role, person },
  );
