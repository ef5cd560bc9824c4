locals {
  widgets = [
    {
      title = "Requests and errors"
      stat  = "Sum"
      metrics = concat(
        [["AWS/ApplicationELB", "RequestCount", "LoadBalancer", var.load_balancer_arn_suffix], [".", "HTTPCode_ELB_5XX_Count", ".", "."]],
        [for name, service in var.services : ["AWS/ApplicationELB", "HTTPCode_Target_5XX_Count", "TargetGroup", service.target_group_arn_suffix, "LoadBalancer", var.load_balancer_arn_suffix, { label = "${name} 5xx" }]],
      )
    },
    {
      title   = "Latency, 99th percentile"
      stat    = "p99"
      metrics = [for name, service in var.services : ["AWS/ApplicationELB", "TargetResponseTime", "TargetGroup", service.target_group_arn_suffix, "LoadBalancer", var.load_balancer_arn_suffix, { label = name }]]
    },
    {
      title   = "Deployments"
      stat    = "Sum"
      metrics = [for name in ["DeploymentsReady", "DeploymentsFailed", "PlatformFailures"] : [local.namespace, name]]
    },
    {
      title   = "Wait for a builder (ms)"
      stat    = "p95"
      metrics = [[local.namespace, "QueueWait", { label = "95th percentile" }], ["...", { stat = "Maximum", label = "longest" }]]
    },
    {
      title   = "CPU of the services"
      stat    = "Average"
      metrics = [for name, service in var.services : ["AWS/ECS", "CPUUtilization", "ServiceName", service.service, "ClusterName", var.cluster_name]]
    },
    {
      title   = "Events of builders"
      stat    = "Maximum"
      metrics = [["AWS/SQS", "ApproximateAgeOfOldestMessage", "QueueName", var.events_queue_name], [".", "ApproximateNumberOfMessagesVisible", ".", var.dead_letters_name]]
    },
    {
      title   = "Redis and the catalog"
      stat    = "Maximum"
      metrics = [["AWS/ElastiCache", "BytesUsedForCache", "clusterId", var.redis.name], ["AWS/DynamoDB", "ConsumedReadCapacityUnits", "TableName", var.table_name, { stat = "Sum", yAxis = "right" }], [".", "ConsumedWriteCapacityUnits", ".", ".", { stat = "Sum", yAxis = "right" }]]
    },
  ]
}

resource "aws_cloudwatch_dashboard" "this" {
  count = var.dashboard ? 1 : 0

  dashboard_name = var.name
  dashboard_body = jsonencode({
    widgets = [for index, widget in local.widgets : {
      type   = "metric"
      x      = 12 * (index % 2)
      y      = 6 * floor(index / 2)
      width  = 12
      height = 6
      properties = {
        title   = widget.title
        region  = data.aws_region.current.id
        view    = "timeSeries"
        period  = 300
        stat    = widget.stat
        metrics = widget.metrics
      }
    }]
  })
}
