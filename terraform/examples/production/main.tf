# An installation that others rely on, about $250 a month while nothing happens: three zones with a NAT gateway each, at
# least two tasks of each service, alarms by mail, every task measured, and nothing that can be destroyed by mistake.

terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.100, < 7"
    }
  }
}

provider "aws" {
  region = var.region
}

variable "region" {
  description = "The region of everything."
  type        = string
  default     = "us-east-1"
}

variable "domain" {
  description = "The domain below which sites are served."
  type        = string
}

variable "hosted_zone_id" {
  description = "The Route 53 zone of the domain."
  type        = string
}

variable "alarm_email" {
  description = "Who gets a mail for every alarm."
  type        = string
}

variable "protect" {
  description = "Whether nothing can be destroyed. To take it away: apply with false, then destroy."
  type        = bool
  default     = true
}

variable "name" {
  description = "What every name in the account starts with."
  type        = string
  default     = "gitdeploy"
}

variable "image_tags" {
  description = "The tags of the images, once there are any."
  type        = object({ builder = string, proxy = string, upload = string })
  default     = null
}

variable "codebuild" {
  description = "Where CodeBuild finds the Dockerfiles, to build the images. Null: they come from elsewhere."
  type        = object({ source_url = string, source_ref = optional(string, "main") })
  default     = null
}

module "gitdeploy" {
  source = "../.."

  name           = var.name
  domain         = var.domain
  hosted_zone_id = var.hosted_zone_id
  image_tags     = var.image_tags
  codebuild      = var.codebuild

  zones              = 3
  nat                = "per_az"
  proxy              = { cpu = 512, memory = 1024, min = 2, max = 20 }
  upload             = { cpu = 512, memory = 1024, min = 2, max = 6 }
  builder            = { cpu = 2048, memory = 8192, disk_gb = 50, at_once = 50 }
  redis_max_gb       = 5
  container_insights = true
  log_days           = 90
  alarm_email        = var.alarm_email
  protect            = var.protect
  retention          = { noncurrent = 30 }
}

output "gitdeploy" {
  description = "Everything that the module says of itself."
  value       = module.gitdeploy
}
