mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  name          = "test"
  cidr          = "10.42.0.0/16"
  zones         = 3
  nat           = "single"
  builder_ports = [22, 80, 443]
  proxy_port    = 8080
  api_port      = 8081
  log_days      = 30
  kms_key_arn   = "arn:aws:kms:eu-central-1:123456789012:key/test"
}

run "single" {
  module {
    source = "./modules/network"
  }

  assert {
    condition     = [length(aws_subnet.public), length(aws_subnet.private), length(aws_subnet.untrusted)] == [3, 3, 3]
    error_message = "three kinds of subnets in each zone"
  }

  assert {
    condition     = length(distinct(concat(aws_subnet.public[*].cidr_block, aws_subnet.private[*].cidr_block, aws_subnet.untrusted[*].cidr_block))) == 9
    error_message = "subnets do not overlap"
  }

  assert {
    condition     = aws_subnet.public[0].cidr_block == "10.42.0.0/20" && aws_subnet.private[0].cidr_block == "10.42.64.0/20" && aws_subnet.untrusted[2].cidr_block == "10.42.160.0/20"
    error_message = "where subnets lie never changes: a changed range replaces them"
  }

  assert {
    condition     = !anytrue(concat(aws_subnet.public[*].map_public_ip_on_launch, aws_subnet.private[*].map_public_ip_on_launch, aws_subnet.untrusted[*].map_public_ip_on_launch))
    error_message = "nothing gets a public address by lying somewhere"
  }

  assert {
    condition     = length(aws_nat_gateway.this) == 1 && length(aws_eip.nat) == 1 && length(aws_route.private) == 3
    error_message = "one NAT gateway, which every zone uses"
  }

  assert {
    condition     = toset(aws_route.private[*].nat_gateway_id) == toset([aws_nat_gateway.this[0].id]) && toset(aws_route.untrusted[*].nat_gateway_id) == toset([aws_nat_gateway.this[0].id])
    error_message = "private and untrusted subnets leave over the NAT gateway"
  }

  assert {
    condition     = output.service_subnet_ids == aws_subnet.private[*].id && output.public_addresses == false
    error_message = "services lie in private subnets"
  }

  assert {
    condition     = length(aws_vpc_endpoint.s3.route_table_ids) == 7 && !anytrue([for table in aws_route_table.untrusted : contains(aws_vpc_endpoint.dynamodb.route_table_ids, table.id)])
    error_message = "everybody reaches S3 without NAT, and builders do not reach DynamoDB"
  }

  assert {
    condition     = aws_vpc_endpoint.s3.vpc_endpoint_type == "Gateway" && aws_vpc_endpoint.dynamodb.vpc_endpoint_type == "Gateway"
    error_message = "endpoints are the free ones"
  }

  assert {
    condition     = aws_flow_log.this.traffic_type == "ALL" && aws_cloudwatch_log_group.flow.kms_key_id == var.kms_key_arn
    error_message = "all traffic is logged, and sealed"
  }

  assert {
    condition     = jsondecode(aws_iam_role_policy.flow.policy).Statement[*].Resource == ["${aws_cloudwatch_log_group.flow.arn}:*"]
    error_message = "flow logs are written to their group only"
  }
}

run "security_groups" {
  module {
    source = "./modules/network"
  }

  assert {
    condition = { for name, rule in {
      https = aws_vpc_security_group_ingress_rule.load_balancer_https
      http  = aws_vpc_security_group_ingress_rule.load_balancer_http
      } : name => [rule.security_group_id, rule.cidr_ipv4, rule.from_port, rule.to_port] } == {
      https = [aws_security_group.load_balancer.id, "0.0.0.0/0", 443, 443]
      http  = [aws_security_group.load_balancer.id, "0.0.0.0/0", 80, 80]
    }
    error_message = "the internet reaches the load balancer at 443 and 80"
  }

  assert {
    condition = alltrue([for rule in [
      aws_vpc_security_group_ingress_rule.proxy, aws_vpc_security_group_ingress_rule.api,
      aws_vpc_security_group_ingress_rule.redis_api, aws_vpc_security_group_ingress_rule.redis_proxy, aws_vpc_security_group_ingress_rule.redis_builder,
    ] : rule.cidr_ipv4 == null && rule.cidr_ipv6 == null && rule.prefix_list_id == null && rule.referenced_security_group_id != null])
    error_message = "nothing but the load balancer is reached from an address range"
  }

  assert {
    condition     = aws_vpc_security_group_ingress_rule.proxy.referenced_security_group_id == aws_security_group.load_balancer.id && aws_vpc_security_group_ingress_rule.api.referenced_security_group_id == aws_security_group.load_balancer.id
    error_message = "the services are reached by the load balancer only"
  }

  assert {
    condition     = aws_vpc_security_group_ingress_rule.redis_api.referenced_security_group_id == aws_security_group.api.id && aws_vpc_security_group_ingress_rule.redis_proxy.referenced_security_group_id == aws_security_group.proxy.id && aws_vpc_security_group_ingress_rule.redis_builder.referenced_security_group_id == aws_security_group.builder.id
    error_message = "Redis is reached by the services and by builders only"
  }

  assert {
    condition     = !contains([for rule in [aws_vpc_security_group_ingress_rule.load_balancer_https, aws_vpc_security_group_ingress_rule.load_balancer_http, aws_vpc_security_group_ingress_rule.proxy, aws_vpc_security_group_ingress_rule.api, aws_vpc_security_group_ingress_rule.redis_api, aws_vpc_security_group_ingress_rule.redis_proxy, aws_vpc_security_group_ingress_rule.redis_builder] : rule.security_group_id], aws_security_group.builder.id)
    error_message = "nothing reaches a builder"
  }

  assert {
    condition     = toset(keys(aws_vpc_security_group_egress_rule.builder_internet)) == toset(["22", "80", "443"]) && aws_vpc_security_group_egress_rule.builder_redis.from_port == 6379
    error_message = "builders reach the internet at the given ports, and Redis"
  }

  assert {
    condition     = length(aws_default_security_group.closed.ingress) == 0 && length(aws_default_security_group.closed.egress) == 0
    error_message = "the default group allows nothing"
  }
}

run "access_list" {
  module {
    source = "./modules/network"
  }

  assert {
    condition     = aws_network_acl.untrusted.subnet_ids == toset(aws_subnet.untrusted[*].id)
    error_message = "the list is around the builders' subnets, all of them"
  }

  assert {
    condition     = toset(aws_network_acl_rule.to_private[*].cidr_block) == toset(["10.42.0.0/16", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16"]) && alltrue([for rule in aws_network_acl_rule.to_private : rule.rule_action == "deny" && rule.protocol == "-1" && rule.egress])
    error_message = "builders reach nothing private"
  }

  assert {
    condition     = aws_network_acl_rule.to_redis[*].cidr_block == aws_subnet.private[*].cidr_block && toset(aws_network_acl_rule.to_redis[*].from_port) == toset([6379]) && toset(aws_network_acl_rule.to_redis[*].to_port) == toset([6379])
    error_message = "but Redis"
  }

  assert {
    condition     = max(aws_network_acl_rule.to_redis[*].rule_number...) < min(aws_network_acl_rule.to_private[*].rule_number...) && max(aws_network_acl_rule.to_private[*].rule_number...) < min(aws_network_acl_rule.to_internet[*].rule_number...)
    error_message = "the order of outgoing rules is: Redis, nothing private, the internet"
  }

  assert {
    condition     = max(aws_network_acl_rule.from_redis[*].rule_number...) < min(aws_network_acl_rule.from_private[*].rule_number...) && max(aws_network_acl_rule.from_private[*].rule_number...) < aws_network_acl_rule.from_internet.rule_number
    error_message = "the order of incoming rules is: Redis, nothing private, the internet"
  }

  assert {
    condition     = aws_network_acl_rule.from_internet.from_port == 32768 && alltrue([for rule in aws_network_acl_rule.from_redis : rule.from_port == 32768 && !rule.egress])
    error_message = "only answers come in"
  }
}

run "one_for_each_zone" {
  module {
    source = "./modules/network"
  }

  variables {
    nat   = "per_az"
    zones = 2
  }

  assert {
    condition     = length(aws_nat_gateway.this) == 2 && aws_route.private[*].nat_gateway_id == aws_nat_gateway.this[*].id && aws_route.untrusted[*].nat_gateway_id == aws_nat_gateway.this[*].id
    error_message = "every zone leaves over its own NAT gateway"
  }

  assert {
    condition     = aws_nat_gateway.this[*].subnet_id == aws_subnet.public[*].id
    error_message = "NAT gateways lie in the public subnet of their zone"
  }
}

run "without_nat" {
  module {
    source = "./modules/network"
  }

  variables {
    nat = "none"
  }

  assert {
    condition     = length(aws_nat_gateway.this) == 0 && length(aws_eip.nat) == 0 && length(aws_route.private) == 0
    error_message = "no NAT, and no way out of private subnets"
  }

  assert {
    condition     = toset(aws_route.untrusted[*].gateway_id) == toset([aws_internet_gateway.this.id]) && output.service_subnet_ids == aws_subnet.public[*].id && output.public_addresses
    error_message = "services and builders leave over the internet gateway, with addresses of their own"
  }
}

run "named_zones" {
  module {
    source = "./modules/network"
  }

  variables {
    zones      = 2
    zone_names = ["eu-central-1c", "eu-central-1b"]
  }

  assert {
    condition     = [for subnet in aws_subnet.public : subnet.availability_zone] == ["eu-central-1b", "eu-central-1c"]
    error_message = "the zones that were named, in the order of their names"
  }
}

run "refused" {
  command = plan

  module {
    source = "./modules/network"
  }

  variables {
    cidr          = "10.42.0.0/24"
    zones         = 1
    nat           = "double"
    builder_ports = [80]
  }

  expect_failures = [var.cidr, var.zones, var.nat, var.builder_ports]
}

run "zones_that_are_too_few_are_refused" {
  command = plan

  module {
    source = "./modules/network"
  }

  variables {
    zone_names = ["eu-central-1a", "eu-central-1b"]
  }

  expect_failures = [var.zone_names]
}
