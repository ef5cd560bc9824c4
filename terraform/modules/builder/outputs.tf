output "family" {
  description = "The family of the builders' task definitions."
  value       = local.family
}

output "task_definition_arn" {
  description = "The task definition, once there is an image."
  value       = one(aws_ecs_task_definition.this[*].arn)
}

output "container" {
  description = "The container that a launch gives its variables to."
  value       = "builder"
}

output "passed_role_arns" {
  description = "The roles that the upload service hands to a builder's task."
  value       = [aws_iam_role.execution.arn, aws_iam_role.task.arn]
}

output "publish_role_arn" {
  description = "The role that is lent to builders."
  value       = aws_iam_role.publish.arn
}

output "events_queue" {
  description = "The queue of task state changes."
  value       = { name = aws_sqs_queue.events.name, arn = aws_sqs_queue.events.arn, url = aws_sqs_queue.events.id }
}

output "dead_letters_name" {
  description = "The queue of what could not be delivered, or was not deleted."
  value       = aws_sqs_queue.dead.name
}

output "log_group" {
  description = "Where the builders' log is."
  value       = aws_cloudwatch_log_group.this.name
}
