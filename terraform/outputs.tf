output "api_url" {
  description = "Where API and dashboard are."
  value       = local.api_url
}

output "sites_url" {
  description = "Where sites are; `{label}` stands for the project or deployment."
  value       = local.sites_url
}

output "dns_records" {
  description = "What has to lead to the load balancer, where no hosted zone was given: two records and their target."
  value       = { names = [local.api_host, "*.${var.domain}"], target = aws_lb.this.dns_name }
}

output "token_parameter" {
  description = "The parameter with the operator's token: `aws ssm get-parameter --with-decryption --name …`."
  value       = module.storage.secrets.api_token.name
}

output "repository_urls" {
  description = "Where the images are pushed to, by program."
  value       = { for program, repository in module.storage.repositories : program => repository.url }
}

output "codebuild_project" {
  description = "The project that builds the images, if there is one."
  value       = one(module.codebuild[*].project_name)
}

output "image_tags_url" {
  description = "Where CodeBuild leaves image_tags.auto.tfvars.json."
  value       = one(module.codebuild[*].artifact_url)
}

output "bucket" {
  description = "The bucket of the sites."
  value       = module.storage.bucket.name
}

output "cluster" {
  description = "The ECS cluster."
  value       = aws_ecs_cluster.this.name
}

output "vpc_id" {
  description = "The VPC, for machines of yours that the capacity `ec2` uses."
  value       = module.network.vpc_id
}

output "log_groups" {
  description = "Where the programs' logs are."
  value       = { builder = module.builder.log_group, proxy = module.proxy.log_group, upload = module.upload.log_group }
}

output "load_balancer_arn" {
  description = "The load balancer, for a web ACL of yours."
  value       = aws_lb.this.arn
}

output "alarm_names" {
  description = "Every alarm."
  value       = module.observability.alarm_names
}
