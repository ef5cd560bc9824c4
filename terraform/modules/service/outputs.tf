output "task_role_arn" {
  description = "The role of the program."
  value       = aws_iam_role.task.arn
}

output "log_group" {
  description = "Where its log is."
  value       = aws_cloudwatch_log_group.this.name
}

output "target_group_arn_suffix" {
  description = "Its target group, as metrics name it."
  value       = aws_lb_target_group.this.arn_suffix
}

output "task_definition_arn" {
  description = "Its task definition, once there is an image."
  value       = one(aws_ecs_task_definition.this[*].arn)
}
