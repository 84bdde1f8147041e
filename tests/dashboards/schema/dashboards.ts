// Types of @grafana/schema that dashboards must have. The dashboards themselves are written below by the check, as
// constants of these types: the compiler refuses what is missing, misplaced or not among a field's values.
import type { Dashboard } from './node_modules/@grafana/schema/dist/types/raw/dashboard/x/types.gen';
import type { Options as Heatmap } from './node_modules/@grafana/schema/dist/types/raw/composable/heatmap/panelcfg/x/types.gen';
import type { Options as Stat } from './node_modules/@grafana/schema/dist/types/raw/composable/stat/panelcfg/x/types.gen';
import type { Options as States } from './node_modules/@grafana/schema/dist/types/raw/composable/statetimeline/panelcfg/x/types.gen';
import type { Options as Table } from './node_modules/@grafana/schema/dist/types/raw/composable/table/panelcfg/x/types.gen';
import type { FieldConfig as Lines, Options as Graph } from './node_modules/@grafana/schema/dist/types/raw/composable/timeseries/panelcfg/x/types.gen';

// An enumeration as its values, as JSON has it.
type Plain<T> = T extends string ? `${T}` : T extends number | boolean | null | undefined ? T
  : T extends (infer U)[] ? Plain<U>[] : T extends object ? { [K in keyof T]: Plain<T[K]> } : T;

type Whole = Plain<Dashboard>;
// What the schema leaves open in a panel, by the panel's kind.
type Options = {
  heatmap: Plain<Heatmap>; stat: Plain<Stat>; 'state-timeline': Plain<States>; table: Plain<Table>; timeseries: Plain<Graph>;
};
type Custom = Plain<Lines>;
