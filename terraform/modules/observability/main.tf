# Alarms that mean something: somebody has to do something about each of them.

data "aws_caller_identity" "current" {}

data "aws_region" "current" {}

locals {
  actions   = concat(aws_sns_topic.alarms[*].arn, var.action_arns)
  namespace = "GitDeploy/${var.name}"
}

resource "aws_sns_topic" "alarms" {
  count = var.email == null ? 0 : 1

  name              = "${var.name}-alarms"
  kms_master_key_id = var.kms_key_arn
  tags              = var.tags
}

resource "aws_sns_topic_policy" "alarms" {
  count = var.email == null ? 0 : 1

  arn = aws_sns_topic.alarms[0].arn
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "AlarmsOfThisAccount"
      Effect    = "Allow"
      Action    = "sns:Publish"
      Principal = { Service = "cloudwatch.amazonaws.com" }
      Resource  = aws_sns_topic.alarms[0].arn
      Condition = { StringEquals = { "aws:SourceAccount" = data.aws_caller_identity.current.account_id } }
    }]
  })
}

resource "aws_sns_topic_subscription" "email" {
  count = var.email == null ? 0 : 1

  topic_arn = aws_sns_topic.alarms[0].arn
  protocol  = "email"
  endpoint  = var.email
}

# The upload service says in one line how every deployment ended. `launch.`, `builder.`, `store.` and `bus.` are codes of
# the platform; all others are the author's to mend.
resource "aws_cloudwatch_log_metric_filter" "platform_failures" {
  name           = "${var.name}-platform-failures"
  log_group_name = var.api_log_group
  pattern        = "{ $.fields.['failure.code'] = \"launch.*\" || $.fields.['failure.code'] = \"builder.*\" || $.fields.['failure.code'] = \"store.*\" || $.fields.['failure.code'] = \"bus.*\" }"

  metric_transformation {
    namespace     = local.namespace
    name          = "PlatformFailures"
    value         = "1"
    default_value = "0"
    unit          = "Count"
  }
}

# It also says in one line when a build starts for the first time, and how long after the request that was. Without a
# default value: what waits for nothing must not make the others look faster.
resource "aws_cloudwatch_log_metric_filter" "queue_wait" {
  name           = "${var.name}-queue-wait"
  log_group_name = var.api_log_group
  pattern        = "{ $.fields.waited_ms = * }"

  metric_transformation {
    namespace = local.namespace
    name      = "QueueWait"
    value     = "$.fields.waited_ms"
    unit      = "Milliseconds"
  }
}

resource "aws_cloudwatch_log_metric_filter" "deployments" {
  for_each = toset(["ready", "failed"])

  name           = "${var.name}-deployments-${each.value}"
  log_group_name = var.api_log_group
  pattern        = "{ $.fields.['deployment.state'] = \"${each.value}\" }"

  metric_transformation {
    namespace     = local.namespace
    name          = "Deployments${title(each.value)}"
    value         = "1"
    default_value = "0"
    unit          = "Count"
  }
}
