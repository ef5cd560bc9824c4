variable "name" {
  description = "The name of the service."
  type        = string
}

variable "log_group" {
  description = "The name of its log group."
  type        = string
}

variable "cluster" {
  description = "The cluster that it runs in."
  type        = object({ name = string, arn = string })
}

variable "image" {
  description = "Its image. Null: everything but the service itself is made."
  type        = string
}

variable "repository_arn" {
  description = "The repository of the image."
  type        = string
}

variable "size" {
  description = "CPU units and MiB of memory of one task."
  type        = object({ cpu = number, memory = number })

  validation {
    condition     = contains([256, 512, 1024, 2048, 4096, 8192, 16384], var.size.cpu) && var.size.memory >= 2 * var.size.cpu && var.size.memory <= 8 * var.size.cpu
    error_message = "Fargate has 256, 512, 1024, 2048, 4096, 8192 or 16384 CPU units, with two to eight times as many MiB."
  }
}

variable "architecture" {
  description = "The processors: ARM64 or X86_64."
  type        = string
}

variable "capacity" {
  description = "Where the tasks run: fargate, fargate-spot (with one on demand) or ec2."
  type        = string

  validation {
    condition     = contains(["fargate", "fargate-spot", "ec2"], var.capacity)
    error_message = "Capacity is fargate, fargate-spot or ec2."
  }
}

variable "ec2_capacity_provider" {
  description = "The capacity provider for ec2."
  type        = string
  default     = null
}

variable "scaling" {
  description = "How many tasks there are, and at which share of CPU (percent) and how many requests a minute for each target there are more. Null: requests do not count."
  type = object({
    min                 = number
    max                 = number
    cpu_percent         = number
    requests_per_target = optional(number)
  })

  validation {
    condition     = var.scaling.min >= 1 && var.scaling.max >= var.scaling.min && var.scaling.cpu_percent >= 10 && var.scaling.cpu_percent <= 90
    error_message = "At least one task, at most not fewer than at least, and from 10 to 90 percent of CPU."
  }
}

variable "port" {
  description = "Where it listens."
  type        = number
}

variable "environment" {
  description = "Its settings."
  type        = map(string)
}

variable "secrets" {
  description = "Its settings that are secrets: the ARNs of their parameters."
  type        = map(string)
  default     = {}
}

variable "kms_key_arn" {
  description = "The key that seals its secrets and its log."
  type        = string
}

variable "task_policy" {
  description = "What it may do, as an IAM policy."
  type        = string
}

variable "writable_paths" {
  description = "Directories that it writes to; the rest of its file system is read-only."
  type        = set(string)
  default     = []
}

variable "network" {
  description = "Where it lies."
  type = object({
    vpc_id             = string
    subnet_ids         = list(string)
    security_group_ids = list(string)
    public_address     = bool
  })
}

variable "listener" {
  description = "The listener that sends it requests, for which hosts, and in which order."
  type = object({
    arn                      = string
    load_balancer_arn_suffix = string
    hosts                    = list(string)
    priority                 = number
  })
}

variable "log_days" {
  description = "How long its log is kept, in days."
  type        = number
}

variable "tags" {
  description = "Tags of everything."
  type        = map(string)
  default     = {}
}
