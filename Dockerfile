# One image for scheduler, worker, dashboard and every other command: `docker run IMAGE <command>`.
ARG NODE_IMAGE=node:24-bookworm-slim

FROM ${NODE_IMAGE} AS build
ENV CI=true
WORKDIR /src

# pnpm in the version that package.json names.
COPY package.json ./
RUN npm install --global "$(node -p 'require("./package.json").packageManager')"

# The dependencies are fetched again only when the lockfile changes.
COPY pnpm-lock.yaml pnpm-workspace.yaml ./
RUN pnpm fetch

COPY . .
RUN pnpm install --frozen-lockfile --prefer-offline \
 && pnpm exec tsc -b apps/cli \
 && pnpm --filter @vm-sync/cli deploy --prod /app \
 && find /app/dist /app/node_modules/.pnpm/@vm-sync+*/node_modules/@vm-sync/*/dist -type f \
      '(' -name '*.d.ts' -o -name '*.map' -o -name .tsbuildinfo ')' -delete \
 && rm /app/pnpm-lock.yaml /app/pnpm-workspace.yaml

FROM ${NODE_IMAGE}
ENV NODE_ENV=production
WORKDIR /app
COPY --chmod=755 <<'SH' /usr/local/bin/vm-sync
#!/bin/sh
# All of it streams: with a small young generation its memory stays small, and it is no slower (docs/benchmark.md).
exec node --max-semi-space-size=4 -- /app/dist/main.js "$@"
SH
# The state file is all that is ever written.
RUN install -d -o node -g node data data/vm-sync
COPY --from=build /app /app
USER node
ENTRYPOINT ["vm-sync"]
CMD ["up"]
