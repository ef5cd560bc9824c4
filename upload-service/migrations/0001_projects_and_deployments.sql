create table projects (
    id         text primary key,
    created    integer not null,
    production text
) strict;

create table deployments (
    id               text primary key,
    project          text not null references projects (id),
    state            text not null,
    phase            text,
    target           text not null,
    attempt          integer not null default 0,
    cancel_requested integer not null default 0,
    source           text not null,
    repository       text,
    reference        text,
    commit_id        text,
    message          text,
    root             text,
    install          text,
    command          text,
    output           text,
    created          integer not null,
    started          integer,
    finished         integer,
    files            integer,
    bytes            integer,
    failure_code     text,
    failure_cause    text,
    failure_fix      text
) strict;

create index deployments_by_project on deployments (project, id);
create index deployments_by_state on deployments (state, id);

create table sessions (
    hash    text primary key,
    expires integer not null
) strict;
