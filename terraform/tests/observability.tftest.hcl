mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  name                     = "test"
  load_balancer_arn_suffix = "app/test/1"
  cluster_name             = "test"
  api_log_group            = "/test/upload"
  events_queue_name        = "test-builder-events"
  dead_letters_name        = "test-builder-dead-letters"
  table_name               = "test-catalog"
  redis                    = { name = "test", max_gb = 2 }
  queue_wait_seconds       = 120
  email                    = null
  dashboard                = true
  kms_key_arn              = "arn:aws:kms:eu-central-1:123456789012:key/test"
  services = {
    proxy  = { service = "test-proxy", target_group_arn_suffix = "targetgroup/test-proxy/1", p99_seconds = 1 }
    upload = { service = "test-upload", target_group_arn_suffix = "targetgroup/test-upload/1", p99_seconds = 3 }
  }
}

run "alarms" {
  module {
    source = "./modules/observability"
  }

  assert {
    condition = output.alarm_names == sort([
      "test-dead-letters", "test-event-age", "test-load-balancer-5xx", "test-platform-failures", "test-proxy-5xx", "test-proxy-latency",
      "test-proxy-unhealthy", "test-queue-wait", "test-redis-memory", "test-table-throttles", "test-upload-5xx", "test-upload-latency", "test-upload-unhealthy",
    ])
    error_message = "the alarms"
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.this["proxy-latency"].extended_statistic == "p99" && aws_cloudwatch_metric_alarm.this["proxy-latency"].statistic == null && aws_cloudwatch_metric_alarm.this["proxy-latency"].threshold == 1
    error_message = "latency is the 99th percentile"
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.this["redis-memory"].threshold == 1600000000 && aws_cloudwatch_metric_alarm.this["redis-memory"].dimensions == tomap({ clusterId = "test" })
    error_message = "Redis is nearly full at four fifths"
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.this["dead-letters"].threshold == 0 && aws_cloudwatch_metric_alarm.this["dead-letters"].dimensions == tomap({ QueueName = "test-builder-dead-letters" }) && aws_cloudwatch_metric_alarm.this["event-age"].dimensions == tomap({ QueueName = "test-builder-events" })
    error_message = "the queues, each its own alarm"
  }

  assert {
    condition     = toset([for name in ["proxy", "upload"] : aws_cloudwatch_metric_alarm.this["${name}-5xx"].dimensions["TargetGroup"]]) == toset(["targetgroup/test-proxy/1", "targetgroup/test-upload/1"])
    error_message = "errors of each service"
  }

  assert {
    condition     = toset([for query in aws_cloudwatch_metric_alarm.table_throttles.metric_query : query.metric[0].metric_name if length(query.metric) > 0]) == toset(["ReadThrottleEvents", "WriteThrottleEvents"])
    error_message = "throttled reads and writes"
  }

  assert {
    condition     = alltrue([for alarm in aws_cloudwatch_metric_alarm.this : length(alarm.alarm_description) > 20 && alarm.treat_missing_data == "notBreaching"])
    error_message = "every alarm says what to do, and none goes off where nothing happens"
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.this["platform-failures"].metric_name == "PlatformFailures" && aws_cloudwatch_metric_alarm.this["platform-failures"].namespace == aws_cloudwatch_log_metric_filter.platform_failures.metric_transformation[0].namespace && aws_cloudwatch_log_metric_filter.platform_failures.log_group_name == "/test/upload"
    error_message = "failures of the platform are counted in the upload service's log"
  }

  assert {
    condition     = aws_cloudwatch_log_metric_filter.queue_wait.pattern == "{ $.fields.waited_ms = * }" && aws_cloudwatch_log_metric_filter.queue_wait.log_group_name == "/test/upload" && aws_cloudwatch_log_metric_filter.queue_wait.metric_transformation[0].value == "$.fields.waited_ms" && aws_cloudwatch_log_metric_filter.queue_wait.metric_transformation[0].default_value == null
    error_message = "how long builds wait is read from the upload service's log, and made up for none"
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.this["queue-wait"].metric_name == "QueueWait" && aws_cloudwatch_metric_alarm.this["queue-wait"].namespace == aws_cloudwatch_log_metric_filter.queue_wait.metric_transformation[0].namespace && aws_cloudwatch_metric_alarm.this["queue-wait"].extended_statistic == "p95" && aws_cloudwatch_metric_alarm.this["queue-wait"].threshold == 120000
    error_message = "the 95th percentile of it, against the given seconds in milliseconds"
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.this["queue-wait"].evaluate_low_sample_count_percentiles == "evaluate" && aws_cloudwatch_metric_alarm.this["proxy-latency"].evaluate_low_sample_count_percentiles == "ignore"
    error_message = "a few builds are enough to be alarmed by, a few requests are not"
  }

  assert {
    condition     = contains(flatten([for widget in jsondecode(aws_cloudwatch_dashboard.this[0].dashboard_body).widgets : widget.properties.metrics[*][1] if widget.properties.stat == "p95"]), "QueueWait")
    error_message = "the wait is on the dashboard"
  }

  assert {
    condition     = length(jsondecode(aws_cloudwatch_dashboard.this[0].dashboard_body).widgets) == 7 && length(aws_sns_topic.alarms) == 0
    error_message = "a dashboard, and nobody to tell"
  }
}

run "told" {
  module {
    source = "./modules/observability"
  }

  variables {
    email       = "ops@example.org"
    action_arns = ["arn:aws:sns:eu-central-1:123456789012:pager"]
    dashboard   = false
  }

  assert {
    condition     = alltrue([for alarm in concat(values(aws_cloudwatch_metric_alarm.this), [aws_cloudwatch_metric_alarm.table_throttles]) : alarm.alarm_actions == toset([aws_sns_topic.alarms[0].arn, "arn:aws:sns:eu-central-1:123456789012:pager"])])
    error_message = "every alarm is told to both"
  }

  assert {
    condition     = aws_sns_topic_subscription.email[0].endpoint == "ops@example.org" && aws_sns_topic.alarms[0].kms_master_key_id == var.kms_key_arn && length(aws_cloudwatch_dashboard.this) == 0
    error_message = "by mail, sealed"
  }

  assert {
    condition     = jsondecode(aws_sns_topic_policy.alarms[0].policy).Statement[*].Principal == [{ Service = "cloudwatch.amazonaws.com" }]
    error_message = "only CloudWatch sends to the topic"
  }
}

run "refused" {
  command = plan

  module {
    source = "./modules/observability"
  }

  variables {
    email              = "nobody"
    queue_wait_seconds = 0
  }

  expect_failures = [var.email, var.queue_wait_seconds]
}
