export default {
  dialect: 'postgresql',
  schemaFilter: ['triage'],
  out: './drizzle/triage',
  dbCredentials: { url: process.env.DATABASE_URL }
}
