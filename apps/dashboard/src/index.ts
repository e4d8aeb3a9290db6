export { type Dashboard, startDashboard } from './dashboard.ts';
