variable "name" {
  description = "What every name starts with."
  type        = string
}

variable "cidr" {
  description = "The addresses of the VPC."
  type        = string

  validation {
    condition     = can(cidrhost(var.cidr, 0)) && try(tonumber(split("/", var.cidr)[1]), 0) >= 16 && try(tonumber(split("/", var.cidr)[1]), 99) <= 20
    error_message = "The VPC needs an IPv4 range between /16 and /20, such as 10.0.0.0/16."
  }
}

variable "zones" {
  description = "In how many availability zones everything lies."
  type        = number

  validation {
    condition     = contains([2, 3], var.zones)
    error_message = "A load balancer needs two zones, and there are addresses for three: 2 or 3."
  }
}

variable "zone_names" {
  description = "The zones. Empty: the first of the region."
  type        = list(string)
  default     = []

  validation {
    condition     = length(var.zone_names) == 0 || (length(distinct(var.zone_names)) == var.zones && length(var.zone_names) == var.zones)
    error_message = "Name as many different zones as zones says, or none."
  }
}

variable "nat" {
  description = "How private subnets reach the internet: one NAT gateway (`single`), one for each zone (`per_az`), or none: services and builders then have public addresses."
  type        = string

  validation {
    condition     = contains(["single", "per_az", "none"], var.nat)
    error_message = "NAT is single, per_az or none."
  }
}

variable "builder_ports" {
  description = "The TCP ports of the internet that builders reach."
  type        = list(number)

  validation {
    condition     = length(var.builder_ports) <= 8 && contains(var.builder_ports, 443) && alltrue([for port in var.builder_ports : port >= 1 && port <= 65535])
    error_message = "At most eight ports from 1 to 65535, 443 among them: over it builders claim, clone and publish."
  }
}

variable "proxy_port" {
  description = "Where the proxy listens."
  type        = number
}

variable "api_port" {
  description = "Where the upload service listens."
  type        = number
}

variable "log_days" {
  description = "How long flow logs are kept, in days."
  type        = number
}

variable "kms_key_arn" {
  description = "The key that seals flow logs."
  type        = string
}

variable "tags" {
  description = "Tags of everything."
  type        = map(string)
  default     = {}
}
