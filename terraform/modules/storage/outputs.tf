output "bucket" {
  description = "The bucket of the sites."
  value       = { name = aws_s3_bucket.sites.id, arn = aws_s3_bucket.sites.arn }
}

output "log_bucket" {
  description = "The bucket of access logs, once it may be written."
  value       = { name = aws_s3_bucket.logs.id, arn = aws_s3_bucket.logs.arn }
  depends_on  = [aws_s3_bucket_policy.logs]
}

output "table" {
  description = "The catalog's table."
  value       = { name = aws_dynamodb_table.catalog.name, arn = aws_dynamodb_table.catalog.arn }
}

output "kms_key_arn" {
  description = "The key."
  value       = aws_kms_key.this.arn
}

output "repositories" {
  description = "The repositories of the images, by program."
  value       = { for program, repository in aws_ecr_repository.this : program => { name = repository.name, arn = repository.arn, url = repository.repository_url } }
}

output "secrets" {
  description = "The parameters that hold secrets."
  value = {
    api_token     = { name = aws_ssm_parameter.secret["api-token"].name, arn = aws_ssm_parameter.secret["api-token"].arn }
    redis_api     = { name = aws_ssm_parameter.redis_url["api"].name, arn = aws_ssm_parameter.redis_url["api"].arn }
    redis_proxy   = { name = aws_ssm_parameter.redis_url["proxy"].name, arn = aws_ssm_parameter.redis_url["proxy"].arn }
    redis_builder = { name = aws_ssm_parameter.redis_url["builder"].name, arn = aws_ssm_parameter.redis_url["builder"].arn }
  }
}

output "redis" {
  description = "The cache."
  value       = { name = aws_elasticache_serverless_cache.this.name }
}
