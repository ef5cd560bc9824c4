output "alarm_names" {
  description = "Every alarm."
  value       = sort(concat([for alarm in aws_cloudwatch_metric_alarm.this : alarm.alarm_name], [aws_cloudwatch_metric_alarm.table_throttles.alarm_name]))
}

output "topic_arn" {
  description = "The topic of the alarms, where there is one."
  value       = one(aws_sns_topic.alarms[*].arn)
}
