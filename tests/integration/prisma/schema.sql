-- What schema.prisma says, as `prisma migrate` would make it.
DROP TABLE IF EXISTS "_PostToTag", prisma_posts, prisma_profiles, prisma_users, prisma_tags;
DROP TYPE IF EXISTS "Role";
CREATE TYPE "Role" AS ENUM ('USER', 'ADMIN');
CREATE TABLE prisma_users (
    id serial PRIMARY KEY,
    email text NOT NULL UNIQUE,
    name text,
    role "Role" NOT NULL DEFAULT 'USER',
    meta jsonb,
    balance numeric(12, 2) NOT NULL DEFAULT 0,
    created timestamptz(6) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    avatar bytea,
    big bigint NOT NULL DEFAULT 0,
    labels text[]
);
CREATE TABLE prisma_profiles (
    id uuid PRIMARY KEY,
    bio text NOT NULL,
    "userId" int NOT NULL UNIQUE REFERENCES prisma_users ON DELETE CASCADE ON UPDATE CASCADE
);
CREATE TABLE prisma_posts (
    id serial PRIMARY KEY,
    title text NOT NULL,
    published boolean NOT NULL DEFAULT false,
    views int NOT NULL DEFAULT 0,
    "authorId" int REFERENCES prisma_users ON DELETE SET NULL ON UPDATE CASCADE
);
CREATE INDEX ON prisma_posts ("authorId");
CREATE TABLE prisma_tags (name text PRIMARY KEY);
CREATE TABLE "_PostToTag" (
    "A" int NOT NULL REFERENCES prisma_posts ON DELETE CASCADE ON UPDATE CASCADE,
    "B" text NOT NULL REFERENCES prisma_tags ON DELETE CASCADE ON UPDATE CASCADE,
    PRIMARY KEY ("A", "B")
);
CREATE INDEX ON "_PostToTag" ("B");
