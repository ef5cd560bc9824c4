# A builder runs what a repository says. It gets nothing from its task but its size: what it may do it claims from the
# upload service, for its own deployment and at most an hour at a time.

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

data "aws_region" "current" {}

locals {
  family = "${var.name}-builder"
}

resource "aws_cloudwatch_log_group" "this" {
  #checkov:skip=CKV_AWS_338:how long logs are kept is the operator's to say; they cost by the gigabyte
  name              = var.log_group
  retention_in_days = var.log_days
  kms_key_id        = var.kms_key_arn
  tags              = var.tags
}

resource "aws_ecs_task_definition" "this" {
  #checkov:skip=CKV_AWS_336:a build writes all over its file system, which ends with the task
  count = var.image == null ? 0 : 1

  # An old revision stays: what runs with it launches builders by its number until the new service has taken over, and
  # again if ECS goes back to it.
  skip_destroy = true

  family                   = local.family
  network_mode             = "awsvpc"
  requires_compatibilities = [var.on_ec2 ? "EC2" : "FARGATE"]
  cpu                      = var.size.cpu
  memory                   = var.size.memory
  execution_role_arn       = aws_iam_role.execution.arn
  task_role_arn            = aws_iam_role.task.arn
  tags                     = var.tags

  container_definitions = jsonencode([{
    name        = "builder"
    image       = var.image
    essential   = true
    stopTimeout = 110
    # Whoever may describe tasks reads this, and so does the build.
    environment = [
      { name = "AWS_REGION", value = data.aws_region.current.id },
      { name = "GITDEPLOY_LOG_FORMAT", value = "json" },
    ]
    # The builder is root so that what it builds can be somebody else. Of what Docker gives root it keeps what that
    # takes: CHOWN, DAC_OVERRIDE, FOWNER, KILL, SETGID and SETUID. The image has an init of its own.
    linuxParameters = {
      capabilities = {
        add = []
        drop = [
          "AUDIT_WRITE", "FSETID", "MKNOD", "NET_BIND_SERVICE", "NET_RAW", "SETFCAP", "SETPCAP", "SYS_CHROOT",
        ]
      }
    }
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
  }])

  runtime_platform {
    operating_system_family = "LINUX"
    cpu_architecture        = var.architecture
  }

  dynamic "ephemeral_storage" {
    for_each = var.on_ec2 ? [] : [var.size.disk_gb]

    content {
      size_in_gib = ephemeral_storage.value
    }
  }
}
