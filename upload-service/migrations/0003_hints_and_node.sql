alter table deployments add column failure_hint text;
alter table deployments add column node text;
