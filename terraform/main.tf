# GitDeploy on AWS: the modules, and what they tell each other. README.md has the picture.

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

data "aws_region" "current" {}

locals {
  account   = data.aws_caller_identity.current.account_id
  partition = data.aws_partition.current.partition
  region    = data.aws_region.current.id

  tags      = merge({ "gitdeploy:installation" = var.name }, var.tags)
  api_host  = "api.${var.domain}"
  api_url   = "https://${local.api_host}"
  sites_url = "https://{label}.${var.domain}/"

  # Named by its capacity providers: without them no task can be launched in it.
  cluster = { name = aws_ecs_cluster_capacity_providers.this.cluster_name, arn = aws_ecs_cluster.this.arn }

  proxy_port = 8080
  api_port   = 8081

  images = {
    for program, repository in module.storage.repositories :
    program => var.image_tags == null ? null : "${repository.url}:${var.image_tags[program]}"
  }
}

module "network" {
  source = "./modules/network"

  name          = var.name
  cidr          = var.cidr
  zones         = var.zones
  zone_names    = var.zone_names
  nat           = var.nat
  builder_ports = var.builder.ports
  proxy_port    = local.proxy_port
  api_port      = local.api_port
  log_days      = var.log_days
  kms_key_arn   = module.storage.kms_key_arn
  tags          = local.tags
}

module "storage" {
  source = "./modules/storage"

  name             = var.name
  publish_role_arn = module.builder.publish_role_arn
  bare_writer_arns = var.bare_writer_arns
  upload_days      = var.retention.uploads
  cache_days       = var.retention.cache
  build_log_days   = var.retention.build_logs
  access_log_days  = var.retention.access
  noncurrent_days  = var.retention.noncurrent
  protect          = var.protect
  tags             = local.tags

  redis = {
    subnet_ids         = module.network.private_subnet_ids
    security_group_ids = [module.network.security_group_ids.redis]
    max_gb             = var.redis_max_gb
    max_ecpu           = 5000
  }
}

module "builder" {
  source = "./modules/builder"

  name            = var.name
  cluster_arn     = aws_ecs_cluster.this.arn
  image           = local.images["builder"]
  repository_arn  = module.storage.repositories["builder"].arn
  size            = { cpu = var.builder.cpu, memory = var.builder.memory, disk_gb = var.builder.disk_gb }
  architecture    = var.architecture
  on_ec2          = var.builder_capacity == "ec2"
  bucket_arn      = module.storage.bucket.arn
  upload_role_arn = module.upload.task_role_arn
  kms_key_arn     = module.storage.kms_key_arn
  log_group       = "/${var.name}/builder"
  log_days        = var.log_days
  tags            = local.tags
}

module "proxy" {
  source = "./modules/service"

  name                  = "${var.name}-proxy"
  log_group             = "/${var.name}/proxy"
  cluster               = local.cluster
  image                 = local.images["proxy"]
  repository_arn        = module.storage.repositories["proxy"].arn
  size                  = { cpu = var.proxy.cpu, memory = var.proxy.memory }
  architecture          = var.architecture
  capacity              = var.service_capacity
  ec2_capacity_provider = var.ec2_capacity_provider
  port                  = local.proxy_port
  task_policy           = local.proxy_policy
  kms_key_arn           = module.storage.kms_key_arn
  log_days              = var.log_days
  tags                  = local.tags

  scaling = {
    min                 = var.proxy.min
    max                 = var.proxy.max
    cpu_percent         = var.proxy.cpu_percent
    requests_per_target = var.proxy.requests_per_target
  }

  environment = {
    AWS_REGION             = local.region
    GITDEPLOY_LOG_FORMAT   = "json"
    GITDEPLOY_PROXY_DOMAIN = var.domain
    # Targets get requests for a moment after they are told to stop.
    GITDEPLOY_PROXY_DRAIN_DELAY_SECONDS = "5"
    GITDEPLOY_PROXY_LISTEN              = "0.0.0.0:${local.proxy_port}"
    # The load balancer, which says in X-Forwarded-For who the visitor is. Nobody else reaches the proxy.
    GITDEPLOY_PROXY_TRUSTED = var.cidr
    GITDEPLOY_STORE_BUCKET  = module.storage.bucket.name
  }

  secrets = { GITDEPLOY_BUS_REDIS_URL = module.storage.secrets.redis_proxy.arn }

  network = {
    vpc_id             = module.network.vpc_id
    subnet_ids         = module.network.service_subnet_ids
    security_group_ids = [module.network.security_group_ids.proxy]
    public_address     = module.network.public_addresses
  }

  listener = {
    arn                      = aws_lb_listener.https.arn
    load_balancer_arn_suffix = aws_lb.this.arn_suffix
    hosts                    = ["*.${var.domain}"]
    priority                 = 200
  }
}

module "upload" {
  source = "./modules/service"

  name                  = "${var.name}-upload"
  log_group             = "/${var.name}/upload"
  cluster               = local.cluster
  image                 = local.images["upload"]
  repository_arn        = module.storage.repositories["upload"].arn
  size                  = { cpu = var.upload.cpu, memory = var.upload.memory }
  architecture          = var.architecture
  capacity              = var.service_capacity
  ec2_capacity_provider = var.ec2_capacity_provider
  port                  = local.api_port
  task_policy           = local.upload_policy
  writable_paths        = [local.data_directory]
  kms_key_arn           = module.storage.kms_key_arn
  log_days              = var.log_days
  tags                  = local.tags

  scaling = {
    min         = var.upload.min
    max         = var.upload.max
    cpu_percent = var.upload.cpu_percent
  }

  environment = local.upload_environment
  secrets     = local.upload_secrets

  network = {
    vpc_id             = module.network.vpc_id
    subnet_ids         = module.network.service_subnet_ids
    security_group_ids = [module.network.security_group_ids.api]
    public_address     = module.network.public_addresses
  }

  listener = {
    arn                      = aws_lb_listener.https.arn
    load_balancer_arn_suffix = aws_lb.this.arn_suffix
    hosts                    = [local.api_host]
    priority                 = 100
  }
}

module "observability" {
  source = "./modules/observability"

  name                     = var.name
  load_balancer_arn_suffix = aws_lb.this.arn_suffix
  cluster_name             = aws_ecs_cluster.this.name
  api_log_group            = module.upload.log_group
  events_queue_name        = module.builder.events_queue.name
  dead_letters_name        = module.builder.dead_letters_name
  table_name               = module.storage.table.name
  redis                    = { name = module.storage.redis.name, max_gb = var.redis_max_gb }
  queue_wait_seconds       = var.queue_wait_seconds
  email                    = var.alarm_email
  action_arns              = var.alarm_action_arns
  dashboard                = var.dashboard
  kms_key_arn              = module.storage.kms_key_arn
  tags                     = local.tags

  services = {
    proxy = {
      service                 = "${var.name}-proxy"
      target_group_arn_suffix = module.proxy.target_group_arn_suffix
      p99_seconds             = 1
    }
    upload = {
      service                 = "${var.name}-upload"
      target_group_arn_suffix = module.upload.target_group_arn_suffix
      p99_seconds             = 3
    }
  }
}

module "codebuild" {
  source = "./modules/codebuild"
  count  = var.codebuild == null ? 0 : 1

  name            = var.name
  source_url      = var.codebuild.source_url
  source_ref      = var.codebuild.source_ref
  architecture    = var.architecture
  repositories    = module.storage.repositories
  artifact_bucket = module.storage.log_bucket
  kms_key_arn     = module.storage.kms_key_arn
  log_days        = var.log_days
  tags            = local.tags
}
