locals {
  # Every alarm: what is measured, and when it is too much.
  alarms = merge(
    {
      load-balancer-5xx = {
        description = "The load balancer itself answers with errors: no healthy task, or none that answers in time. Look at the events of the services."
        namespace   = "AWS/ApplicationELB"
        metric      = "HTTPCode_ELB_5XX_Count"
        dimensions  = { LoadBalancer = var.load_balancer_arn_suffix }
        statistic   = "Sum", threshold = 10, periods = 2, period = 300
      }
      dead-letters = {
        description = "Events of builders that EventBridge could not deliver, or that the upload service got five times and never deleted. The builds themselves are found out by asking ECS."
        namespace   = "AWS/SQS"
        metric      = "ApproximateNumberOfMessagesVisible"
        dimensions  = { QueueName = var.dead_letters_name }
        statistic   = "Maximum", threshold = 0, periods = 1, period = 300
      }
      event-age = {
        description = "Nobody reads the events of builders. Look at the log of the upload service."
        namespace   = "AWS/SQS"
        metric      = "ApproximateAgeOfOldestMessage"
        dimensions  = { QueueName = var.events_queue_name }
        statistic   = "Maximum", threshold = 300, periods = 2, period = 60
      }
      platform-failures = {
        description = "Builds fail through no fault of their authors. Their codes and causes are in the log of the upload service."
        namespace   = local.namespace
        metric      = aws_cloudwatch_log_metric_filter.platform_failures.metric_transformation[0].name
        dimensions  = {}
        statistic   = "Sum", threshold = 2, periods = 1, period = 900
      }
      queue-wait = {
        description = "One build in twenty waits longer than ${var.queue_wait_seconds} s for its start. Raise builder.at_once or upload.max, and the account's limits with it."
        namespace   = local.namespace
        metric      = aws_cloudwatch_log_metric_filter.queue_wait.metric_transformation[0].name
        dimensions  = {}
        statistic   = "p95", threshold = var.queue_wait_seconds * 1000, periods = 1, period = 900
      }
      redis-memory = {
        description = "Redis is nearly full: events of builds will be refused. Raise redis_max_gb."
        namespace   = "AWS/ElastiCache"
        metric      = "BytesUsedForCache"
        dimensions  = { clusterId = var.redis.name }
        statistic   = "Maximum", threshold = floor(var.redis.max_gb * 1000000000 * 0.8), periods = 3, period = 300
      }
    },
    {
      for name, service in var.services : "${name}-5xx" => {
        description = "${service.service} answers with errors. Look at its log."
        namespace   = "AWS/ApplicationELB"
        metric      = "HTTPCode_Target_5XX_Count"
        dimensions  = { LoadBalancer = var.load_balancer_arn_suffix, TargetGroup = service.target_group_arn_suffix }
        statistic   = "Sum", threshold = 10, periods = 2, period = 300
      }
    },
    {
      for name, service in var.services : "${name}-latency" => {
        description = "${service.service} is slow: one request in a hundred takes longer than ${service.p99_seconds} s."
        namespace   = "AWS/ApplicationELB"
        metric      = "TargetResponseTime"
        dimensions  = { LoadBalancer = var.load_balancer_arn_suffix, TargetGroup = service.target_group_arn_suffix }
        statistic   = "p99", threshold = service.p99_seconds, periods = 3, period = 300
      }
    },
    {
      for name, service in var.services : "${name}-unhealthy" => {
        description = "Tasks of ${service.service} do not answer the load balancer. Look at the events of the service."
        namespace   = "AWS/ApplicationELB"
        metric      = "UnHealthyHostCount"
        dimensions  = { LoadBalancer = var.load_balancer_arn_suffix, TargetGroup = service.target_group_arn_suffix }
        statistic   = "Maximum", threshold = 0, periods = 5, period = 60
      }
    },
  )
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = local.alarms

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.description
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  dimensions          = each.value.dimensions
  statistic           = startswith(each.value.statistic, "p") ? null : each.value.statistic
  extended_statistic  = startswith(each.value.statistic, "p") ? each.value.statistic : null
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.threshold
  period              = each.value.period
  evaluation_periods  = each.value.periods
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.actions
  ok_actions          = local.actions
  tags                = var.tags

  # One slow request of three is no one in a hundred. There are never enough builds to count in that way.
  evaluate_low_sample_count_percentiles = startswith(each.value.statistic, "p") ? (each.value.namespace == local.namespace ? "evaluate" : "ignore") : null
}

# Reads and writes are two metrics, and one alarm.
resource "aws_cloudwatch_metric_alarm" "table_throttles" {
  alarm_name          = "${var.name}-table-throttles"
  alarm_description   = "DynamoDB refuses requests of the upload service for being too many."
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  evaluation_periods  = 2
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.actions
  ok_actions          = local.actions
  tags                = var.tags

  metric_query {
    id          = "throttles"
    label       = "Throttles"
    expression  = "FILL(reads, 0) + FILL(writes, 0)"
    return_data = true
  }

  dynamic "metric_query" {
    for_each = { reads = "ReadThrottleEvents", writes = "WriteThrottleEvents" }

    content {
      id = metric_query.key

      metric {
        namespace   = "AWS/DynamoDB"
        metric_name = metric_query.value
        dimensions  = { TableName = var.table_name }
        period      = 300
        stat        = "Sum"
      }
    }
  }
}
