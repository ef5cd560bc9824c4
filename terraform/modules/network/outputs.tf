output "vpc_id" {
  description = "The VPC."
  value       = aws_vpc.this.id
}

output "public_subnet_ids" {
  description = "Where the load balancer lies."
  value       = aws_subnet.public[*].id
}

output "private_subnet_ids" {
  description = "Where Redis lies, and with NAT the services."
  value       = aws_subnet.private[*].id
}

output "untrusted_subnet_ids" {
  description = "Where builders lie."
  value       = aws_subnet.untrusted[*].id
}

output "service_subnet_ids" {
  description = "Where the services lie."
  value       = local.nats == 0 ? aws_subnet.public[*].id : aws_subnet.private[*].id
}

output "public_addresses" {
  description = "Whether services and builders need public addresses to reach the internet."
  value       = local.nats == 0
}

output "security_group_ids" {
  description = "The security groups, by what they are for."
  value = {
    load_balancer = aws_security_group.load_balancer.id
    proxy         = aws_security_group.proxy.id
    api           = aws_security_group.api.id
    builder       = aws_security_group.builder.id
    redis         = aws_security_group.redis.id
  }
}
