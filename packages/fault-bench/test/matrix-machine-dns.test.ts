import { testRows } from './support/run-row.ts';

testRows('matrix-machine-dns');
