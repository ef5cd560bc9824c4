# The VPC and its three kinds of subnets: public ones for the load balancer and NAT, private ones for the services and
# Redis, untrusted ones for builders, which run what strangers wrote.

data "aws_availability_zones" "available" {
  #checkov:skip=CKV_AWS_394:only the first are used, in the order of their names, and a new zone comes last; zone_names pins them
  state = "available"

  filter {
    name   = "opt-in-status"
    values = ["opt-in-not-required"]
  }
}

data "aws_region" "current" {}

locals {
  zones = slice(sort(length(var.zone_names) == 0 ? data.aws_availability_zones.available.names : var.zone_names), 0, var.zones)
  nats  = { none = 0, single = 1, per_az = var.zones }[var.nat]

  # Sixteenths of the VPC: 0–2 public, 4–6 private, 8–10 untrusted.
  public_cidrs    = [for index in range(var.zones) : cidrsubnet(var.cidr, 4, index)]
  private_cidrs   = [for index in range(var.zones) : cidrsubnet(var.cidr, 4, 4 + index)]
  untrusted_cidrs = [for index in range(var.zones) : cidrsubnet(var.cidr, 4, 8 + index)]
}

resource "aws_vpc" "this" {
  cidr_block           = var.cidr
  enable_dns_support   = true
  enable_dns_hostnames = true
  tags                 = merge(var.tags, { Name = var.name })
}

resource "aws_internet_gateway" "this" {
  vpc_id = aws_vpc.this.id
  tags   = merge(var.tags, { Name = var.name })
}

resource "aws_subnet" "public" {
  count = var.zones

  vpc_id                  = aws_vpc.this.id
  availability_zone       = local.zones[count.index]
  cidr_block              = local.public_cidrs[count.index]
  map_public_ip_on_launch = false
  tags                    = merge(var.tags, { Name = "${var.name}-public-${local.zones[count.index]}" })
}

resource "aws_subnet" "private" {
  count = var.zones

  vpc_id                  = aws_vpc.this.id
  availability_zone       = local.zones[count.index]
  cidr_block              = local.private_cidrs[count.index]
  map_public_ip_on_launch = false
  tags                    = merge(var.tags, { Name = "${var.name}-private-${local.zones[count.index]}" })
}

resource "aws_subnet" "untrusted" {
  count = var.zones

  vpc_id                  = aws_vpc.this.id
  availability_zone       = local.zones[count.index]
  cidr_block              = local.untrusted_cidrs[count.index]
  map_public_ip_on_launch = false
  tags                    = merge(var.tags, { Name = "${var.name}-untrusted-${local.zones[count.index]}" })
}

resource "aws_eip" "nat" {
  #checkov:skip=CKV2_AWS_19:these addresses belong to NAT gateways, not to instances
  count = local.nats

  domain = "vpc"
  tags   = merge(var.tags, { Name = "${var.name}-nat-${local.zones[count.index]}" })
}

resource "aws_nat_gateway" "this" {
  count = local.nats

  allocation_id = aws_eip.nat[count.index].id
  subnet_id     = aws_subnet.public[count.index].id
  tags          = merge(var.tags, { Name = "${var.name}-${local.zones[count.index]}" })

  depends_on = [aws_internet_gateway.this]
}
