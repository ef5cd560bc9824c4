# One service behind the load balancer.

data "aws_region" "current" {}

locals {
  launched = var.image == null ? 0 : 1
  on_ec2   = var.capacity == "ec2"

  container = {
    name                   = var.name
    image                  = var.image
    essential              = true
    readonlyRootFilesystem = true
    stopTimeout            = 60
    portMappings           = [{ containerPort = var.port, hostPort = var.port, protocol = "tcp" }]
    environment            = [for name in sort(keys(var.environment)) : { name = name, value = var.environment[name] }]
    secrets                = [for name in sort(keys(var.secrets)) : { name = name, valueFrom = var.secrets[name] }]
    mountPoints            = [for index, path in local.writable : { sourceVolume = "writable-${index}", containerPath = path, readOnly = false }]
    linuxParameters        = { initProcessEnabled = true, capabilities = { drop = ["ALL"], add = [] } }
    logConfiguration = {
      logDriver = "awslogs"
      options = {
        awslogs-group         = aws_cloudwatch_log_group.this.name
        awslogs-region        = data.aws_region.current.id
        awslogs-stream-prefix = "task"
        mode                  = "non-blocking"
        max-buffer-size       = "4m"
      }
    }
  }

  writable = sort(tolist(var.writable_paths))

  # On spot capacity one task is on demand, so that the service never disappears as a whole.
  strategies = {
    fargate      = [{ provider = "FARGATE", base = 1, weight = 1 }]
    fargate-spot = [{ provider = "FARGATE", base = 1, weight = 1 }, { provider = "FARGATE_SPOT", base = 0, weight = 4 }]
    ec2          = [{ provider = var.ec2_capacity_provider, base = 1, weight = 1 }]
  }
}

resource "aws_cloudwatch_log_group" "this" {
  #checkov:skip=CKV_AWS_338:how long logs are kept is the operator's to say; they cost by the gigabyte
  name              = var.log_group
  retention_in_days = var.log_days
  kms_key_id        = var.kms_key_arn
  tags              = var.tags
}

resource "aws_ecs_task_definition" "this" {
  count = local.launched

  # An old revision stays, for the tasks that the service still starts with it during a rollout or after it went back.
  skip_destroy = true

  family                   = var.name
  network_mode             = "awsvpc"
  requires_compatibilities = [local.on_ec2 ? "EC2" : "FARGATE"]
  cpu                      = var.size.cpu
  memory                   = var.size.memory
  execution_role_arn       = aws_iam_role.execution.arn
  task_role_arn            = aws_iam_role.task.arn
  container_definitions    = jsonencode([local.container])
  tags                     = var.tags

  runtime_platform {
    operating_system_family = "LINUX"
    cpu_architecture        = var.architecture
  }

  dynamic "volume" {
    for_each = local.writable

    content {
      name = "writable-${volume.key}"
    }
  }
}

resource "aws_ecs_service" "this" {
  #checkov:skip=CKV_AWS_333:without NAT a task has a public address to reach AWS; only the load balancer can open a connection to it
  count = local.launched

  name                               = var.name
  cluster                            = var.cluster.arn
  task_definition                    = aws_ecs_task_definition.this[0].arn
  desired_count                      = var.scaling.min
  deployment_minimum_healthy_percent = 100
  deployment_maximum_percent         = 200
  health_check_grace_period_seconds  = 60
  enable_ecs_managed_tags            = true
  propagate_tags                     = "SERVICE"
  wait_for_steady_state              = false
  tags                               = var.tags

  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  deployment_controller {
    type = "ECS"
  }

  dynamic "capacity_provider_strategy" {
    for_each = local.strategies[var.capacity]

    content {
      capacity_provider = capacity_provider_strategy.value.provider
      base              = capacity_provider_strategy.value.base
      weight            = capacity_provider_strategy.value.weight
    }
  }

  network_configuration {
    subnets          = var.network.subnet_ids
    security_groups  = var.network.security_group_ids
    assign_public_ip = var.network.public_address && !local.on_ec2
  }

  load_balancer {
    target_group_arn = aws_lb_target_group.this.arn
    container_name   = var.name
    container_port   = var.port
  }

  lifecycle {
    ignore_changes = [desired_count]

    precondition {
      condition     = !local.on_ec2 || var.ec2_capacity_provider != null
      error_message = "The capacity ec2 needs ec2_capacity_provider."
    }
  }

  depends_on = [aws_iam_role_policy.execution, aws_iam_role_policy.task, aws_lb_listener_rule.this]
}
