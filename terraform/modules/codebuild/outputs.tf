output "project_name" {
  description = "The project to start."
  value       = aws_codebuild_project.this.name
}

output "artifact_url" {
  description = "Where the tags of the last images are."
  value       = "s3://${var.artifact_bucket.name}/images/tags/image_tags.auto.tfvars.json"
}
