# What the upload service is told. The operator's settings come besides, and never instead. A name of ours stands once,
# where we put it: ECS takes no name that is both a value and a secret.

locals {
  our_environment = {
    AWS_REGION                     = local.region
    GITDEPLOY_API_BUILDS_AT_ONCE   = tostring(var.builder.at_once)
    GITDEPLOY_API_DATA_DIRECTORY   = local.data_directory
    GITDEPLOY_API_GRACE_SECONDS    = "50"
    GITDEPLOY_API_HOSTS            = local.api_host
    GITDEPLOY_API_LISTEN           = "0.0.0.0:${local.api_port}"
    GITDEPLOY_API_PUBLIC_URL       = local.api_url
    GITDEPLOY_API_SITES_URL        = local.sites_url
    GITDEPLOY_CATALOG_KMS_KEY      = module.storage.kms_key_arn
    GITDEPLOY_CATALOG_TABLE        = module.storage.table.name
    GITDEPLOY_ECS_ASSIGN_PUBLIC_IP = tostring(module.network.public_addresses && var.builder_capacity != "ec2")
    GITDEPLOY_ECS_CAPACITY         = var.builder_capacity
    GITDEPLOY_ECS_CLUSTER          = aws_ecs_cluster.this.name
    GITDEPLOY_ECS_CONTAINER        = module.builder.container
    GITDEPLOY_ECS_EVENTS_QUEUE_URL = module.builder.events_queue.url
    GITDEPLOY_ECS_SECURITY_GROUPS  = module.network.security_group_ids.builder
    GITDEPLOY_ECS_SUBNETS          = join(",", module.network.untrusted_subnet_ids)
    GITDEPLOY_LEND_ROLE_ARN        = module.builder.publish_role_arn
    GITDEPLOY_LEND_URL             = local.api_url
    GITDEPLOY_LOG_FORMAT           = "json"
    GITDEPLOY_STORE_BUCKET         = module.storage.bucket.name

    # Empty counts as absent. The task definition is named with its revision, so that a service launches the builder
    # that was made with it, also after ECS went back to an older one.
    GITDEPLOY_ECS_CAPACITY_PROVIDER = var.builder_capacity == "ec2" ? var.ec2_capacity_provider : ""
    GITDEPLOY_ECS_TASK_DEFINITION   = module.builder.task_definition_arn == null ? "" : module.builder.task_definition_arn
  }

  our_secrets = {
    GITDEPLOY_API_TOKEN      = module.storage.secrets.api_token.arn
    GITDEPLOY_BUS_REDIS_URL  = module.storage.secrets.redis_api.arn
    GITDEPLOY_LEND_REDIS_URL = module.storage.secrets.redis_builder.arn
  }

  ours = concat(keys(local.our_environment), keys(local.our_secrets))

  upload_environment = merge({ for name, value in var.upload.environment : name => value if !contains(local.ours, name) }, local.our_environment)
  upload_secrets     = merge({ for name, arn in var.upload.secrets : name => arn if !contains(local.ours, name) }, local.our_secrets)
}
