alter table deployments add column lease integer;
alter table deployments add column holder text;
alter table deployments add column task text;
alter table deployments add column session text;

create table codes (
    hash    text primary key,
    expires integer not null
) strict;

create table secrets (
    name   text primary key,
    sealed blob not null
) strict;

-- The newest deployment that was ever in production: after a rollback it is not the one that is.
alter table projects add column newest text;
update projects set newest = production;
